"""Which frames and patches are taken: literal lists, without a pixel."""

import numpy as np
import pytest

from mmx.experts.sampling import Frames, Patches, Stacks


@pytest.mark.parametrize(
    ("per_clip", "n", "expected"),
    [
        (0, 4, [0, 1, 2, 3]),
        (3, 9, [1, 4, 7]),
        (3, 10, [1, 5, 8]),
        (3, 3, [0, 1, 2]),
        (3, 2, [0, 1]),
        (3, 1, [0]),
        (1, 7, [3]),
        (4, 10_000, [1250, 3750, 6250, 8750]),
    ],
)
def test_frames(per_clip: int, n: int, expected: list[int]) -> None:
    assert Frames(per_clip).indices(n).tolist() == [[index] for index in expected]


@pytest.mark.parametrize(("n", "missing"), [(0, 1), (1, 0), (9, 0)])
def test_a_clip_without_an_image_lacks_one(n: int, missing: int) -> None:
    assert Frames(0).padding(n) == missing


@pytest.mark.parametrize(
    ("n", "expected", "repeated"),
    [
        (1, [[0, 0, 0, 0]], 3),
        (3, [[0, 1, 2, 2]], 1),
        (4, [[0, 1, 2, 3]], 0),
        (6, [[0, 1, 2, 3]], 0),
        (7, [[0, 1, 2, 3], [3, 4, 5, 6]], 0),
        (9, [[0, 1, 2, 3], [3, 4, 5, 6]], 0),
    ],
)
def test_stacks_drop_what_follows_the_last_whole_one(
    n: int, expected: list[list[int]], repeated: int
) -> None:
    stacks = Stacks(length=4, step=3)
    assert stacks.indices(n).tolist() == expected
    assert stacks.padding(n) == repeated


@pytest.mark.parametrize(
    ("n", "starts"), [(1, [0]), (4, [0]), (5, [0, 1]), (8, [0, 4]), (9, [0, 4, 5])]
)
def test_an_aligned_tail_is_covered_by_a_stack_that_ends_with_the_clip(
    n: int, starts: list[int]
) -> None:
    indices = Stacks(length=4, step=4, tail="align").indices(n)
    assert indices[:, 0].tolist() == starts
    assert indices[-1, -1] == n - 1


def test_stacks_cover_ten_thousand_frames() -> None:
    indices = Stacks(length=64, step=64, tail="align").indices(10_000)
    assert set(indices.ravel().tolist()) == set(range(10_000))
    assert (np.diff(indices, axis=1) == 1).all()


@pytest.mark.parametrize(
    ("begin", "end", "total", "starts", "foreign"),
    [
        (0, 30, 100, [0, 10, 20], 0),
        (5, 34, 100, [5, 15], 0),
        (40, 44, 100, [37], 6),
        (0, 4, 100, [0], 6),
        (96, 100, 100, [90], 6),
        (96, 140, 100, [90], 6),
        (1, 3, 5, [0], 8),
        (100, 120, 100, [], 0),
        (50, 50, 100, [], 0),
    ],
    ids=[
        "whole patches",
        "the rest is dropped",
        "centred on a short clip",
        "moved into the sound's beginning",
        "moved into the sound's end",
        "the sound ends within the clip",
        "the whole sound is shorter than a patch",
        "the sound ends before the clip",
        "an empty clip",
    ],
)
def test_patches(begin: int, end: int, total: int, starts: list[int], foreign: int) -> None:
    patches = Patches(length=10, step=10)
    assert patches.starts(begin, end, total).tolist() == starts
    assert patches.padding(begin, end, total) == foreign


def test_patches_may_overlap() -> None:
    assert Patches(length=12, step=10).starts(0, 32, 99).tolist() == [0, 10, 20]
