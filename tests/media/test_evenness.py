from array import array
from fractions import Fraction

import pytest

from mmx.media.evenness import holes, missing
from mmx.media.timeline import Track


def track(times: list[int]) -> Track:
    """Return a track of pictures of 40 ms at times in milliseconds."""
    places, count = array("q", times), len(times)
    lasts, keys = array("q", [40] * count), array("b", [1] * count)
    return Track(Fraction(1, 1000), Fraction(1, 25), places, places, lasts, places, keys)


EVEN = list(range(0, 4000, 40))


@pytest.mark.parametrize(
    ("times", "empty", "lost"),
    [
        pytest.param(EVEN, 0, 0, id="even"),
        pytest.param(EVEN[:40] + EVEN[42:], 2, 2, id="two are missing"),
        pytest.param(EVEN[:20] + EVEN[21:60] + EVEN[63:], 4, 4, id="two holes"),
        pytest.param(EVEN[:40] + [t + 3000 for t in EVEN[40:]], 75, 0, id="a pause"),
        pytest.param([t for t in EVEN if t % 200], 19, 0, id="one in five is dropped by habit"),
        pytest.param([t + 9 * (n % 2) for n, t in enumerate(EVEN[:50] + EVEN[52:])], 1, 0,
                     id="a variable rate"),
        pytest.param([0], 0, 0, id="one picture"),
        pytest.param([], 0, 0, id="none"),
    ],
)  # fmt: skip
def test_what_an_even_series_lacks(times: list[int], empty: int, lost: int) -> None:
    made = track(times)
    found = holes(made)
    assert (sum(found.values()), missing(made, found)) == (empty, lost)
