"""Which pairs of frames of a clip get flow: index arithmetic, without pixels."""

from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from mmx.media.clip import Clip

Pair = tuple[int, int]
"""Indices of two frames of the video, the earlier first."""


def nearest_frames(times: Sequence[Fraction], rate: float) -> list[int]:
    """Return the positions in `times` (rising, seconds) nearest to `rate` instants per second.

    The instants begin at the first frame. Of two frames equally near, the earlier is taken; a
    frame that is nearest to several instants is taken once, so a rate above the frames' own takes
    each of them.

    >>> times = [Fraction(frame, 24) for frame in range(12)]
    >>> nearest_frames(times, 8)
    [0, 3, 6, 9]
    >>> nearest_frames(times, 10)
    [0, 2, 5, 7, 10]
    """
    step, start = 1 / Fraction(rate), times[0]
    instants = int((times[-1] - start) / step) + 1
    chosen = (_nearest(times, start + k * step) for k in range(instants))
    return list(dict.fromkeys(chosen))


def _nearest(times: Sequence[Fraction], instant: Fraction) -> int:
    after = min(bisect_left(times, instant), len(times) - 1)
    before = max(after - 1, 0)
    return before if instant - times[before] <= times[after] - instant else after


def evenly_spaced(count: int, wanted: int) -> list[int]:
    """Return `wanted` of the positions 0 to count - 1, evenly spaced; all when there are fewer.

    >>> evenly_spaced(9, 3), evenly_spaced(2, 3)
    ([1, 4, 7], [0, 1])
    """
    if wanted >= count:
        return list(range(count))
    return [(2 * k + 1) * count // (2 * wanted) for k in range(wanted)]


def clip_pairs(clip: Clip, pairs_per_clip: int, frames: Sequence[int] | None = None) -> list[Pair]:
    """Return the pairs of successive frames of a clip, or `pairs_per_clip` of them.

    `frames`: the sampled frames of the clip, rising; None means all. `pairs_per_clip` 0 takes every
    pair. A clip with fewer than two frames has none.

    >>> clip = Clip(index=0, start=100, stop=104, start_s=4.0, stop_s=4.16)
    >>> clip_pairs(clip, 0)
    [(100, 101), (101, 102), (102, 103)]
    >>> clip_pairs(clip, 1)
    [(101, 102)]
    """
    pairs = list(pairwise(range(clip.start, clip.stop) if frames is None else frames))
    return (
        [pairs[k] for k in evenly_spaced(len(pairs), pairs_per_clip)] if pairs_per_clip else pairs
    )
