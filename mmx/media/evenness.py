"""Pictures that an otherwise even series lacks."""

from collections import Counter

from mmx.media.timeline import PAUSE_S, Track

EVEN = 0.95
"""Share of equal distances from which on a series counts as even."""
MOST_HOLES = 8
"""A series with more holes drops pictures by habit."""


def holes(track: Track) -> dict[int, int]:
    """Return, by packet, how many pictures are missing before it on an even grid.

    The grid is the most frequent distance between decoding times; pauses beyond PAUSE_S are none.
    """
    steps = _distances(track)
    usual = Counter(steps.values()).most_common(1)
    if not usual or usual[0][0] <= 0:
        return {}
    grid, longest = usual[0][0], round(PAUSE_S / track.unit)
    return {
        packet: round(step / grid) - 1
        for packet, step in steps.items()
        if 1.5 * grid < step < longest
    }


def missing(track: Track, empty: dict[int, int]) -> int:
    """Return how many pictures have been lost: few short holes in an even series.

    A variable rate has many, a pause is long: those say nothing.
    """
    second = round(1 / track.unit)
    steps = _distances(track)
    grid = Counter(steps.values()).most_common(1)[0][0] if steps else 0
    near = sum(abs(step - grid) <= max(1, grid // 10) for step in steps.values())
    if not steps or near < EVEN * (len(steps) - len(empty)) or len(empty) > MOST_HOLES:
        return 0
    return sum(count for count in empty.values() if count * grid < second)


def _distances(track: Track) -> dict[int, int]:
    return {i: step + last for i, step, last in _steps(track)}


def _steps(track: Track) -> list[tuple[int, int, int]]:
    longest = round(PAUSE_S / track.unit)
    return [(i, step, min(track.lasts[i - 1], longest)) for i, step in track.steps()]
