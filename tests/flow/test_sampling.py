"""Index arithmetic, with literal lists."""

from fractions import Fraction

import pytest

from mmx.flow.sampling import clip_pairs, nearest_frames, spread
from mmx.media.clip import Clip


def clip(start: int, stop: int) -> Clip:
    return Clip(index=0, start=start, stop=stop, start_s=start / 25, stop_s=stop / 25)


def at(rate: int, count: int, start: int = 0) -> list[Fraction]:
    return [Fraction(n, rate) for n in range(start, start + count)]


@pytest.mark.parametrize(
    ("times", "rate", "expected"),
    [
        (at(25, 11), 5, [0, 5, 10]),
        (at(25, 10), 5, [0, 5]),
        (at(24, 13), 5, [0, 5, 10]),
        (at(24, 25), 10, [0, 2, 5, 7, 10, 12, 14, 17, 19, 22, 24]),
        (at(25, 4), 25, [0, 1, 2, 3]),
        (at(25, 4), 100, [0, 1, 2, 3]),
        (at(25, 11, start=7), 5, [0, 5, 10]),
        (at(25, 1), 5, [0]),
        ([Fraction(0), Fraction(1, 10), Fraction(9, 10), Fraction(1)], 2, [0, 1, 3]),
        ([Fraction(0), Fraction(3), Fraction(6)], 1, [0, 1, 2]),
    ],
)
def test_nearest_frames(times: list[Fraction], rate: int, expected: list[int]) -> None:
    assert nearest_frames(times, rate) == expected


def test_a_frame_is_never_taken_twice() -> None:
    """Variable frame rate: a long pause among quick frames, asked for more than there are."""
    times = [Fraction(n, 30) for n in (0, 1, 2, 40, 41, 90)]
    for rate in (3, 12.5, 29.97, 60):
        chosen = nearest_frames(times, rate)
        assert chosen == sorted(set(chosen))
        assert chosen[0] == 0


@pytest.mark.parametrize(
    ("count", "wanted", "expected"),
    [
        (10, 1, [5]),
        (10, 2, [2, 7]),
        (10, 4, [1, 3, 6, 8]),
        (3, 3, [0, 1, 2]),
        (2, 5, [0, 1]),
        (0, 2, []),
    ],
)
def test_spread(count: int, wanted: int, expected: list[int]) -> None:
    assert spread(count, wanted) == expected


def test_pairs_stay_in_their_clip() -> None:
    assert clip_pairs(clip(10, 14), 0) == [(10, 11), (11, 12), (12, 13)]
    assert clip_pairs(clip(10, 11), 0) == []
    assert clip_pairs(clip(10, 20), 2) == [(12, 13), (16, 17)]
    assert clip_pairs(clip(10, 12), 5) == [(10, 11)]
    assert clip_pairs(clip(10, 30), 0, [10, 15, 20]) == [(10, 15), (15, 20)]
    assert clip_pairs(clip(10, 30), 1, [10, 15, 20]) == [(15, 20)]
