"""One trailer's share of the flow step: decode, sample, compute, quantise, store."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from mmx.engine.progress import count_part
from mmx.flow.dual_tvl1 import TVL1
from mmx.flow.parameters import TVL1Params
from mmx.flow.quantise import quantise
from mmx.flow.sampling import Pair, clip_pairs, nearest_frames
from mmx.flow.store import FlowHeader, FlowPair, FlowWriter
from mmx.media.clip import Clip
from mmx.media.faults import Limits
from mmx.media.frames import read_frames
from mmx.params import FlowParams

FILE = "trailer.flow"
CROP = 224
"""Side of the centre that `keep: crop224` stores, in pixels."""
BATCH = 32
"""Pairs at once on a device other than the CPU."""
_SMALL = (16, 16)


class FramePair(NamedTuple):
    """Two frames between which flow is computed."""

    pair: FlowPair
    prev: np.ndarray
    """uint8, height x width, grey."""
    next: np.ndarray


def flow_item(
    *,
    video: Path,
    shown: tuple[int, int],
    clips: list[Clip],
    params: FlowParams,
    limits: Limits,
    out: Path,
    device: str = "cpu",
) -> dict[str, int]:
    """Write the Dual TV-L1 flow of a trailer's clips (section 4.1) to `out` / `trailer.flow`.

    shown: (width, height) at which the video is shown, upright and with square pixels.

    On the CPU by the compiled solver, one pair after the other on one core; on another `device` by
    PyTorch, many at once. Return how many pairs there are, how many clips have none, and the size
    of the stored images. Raise MediaFault for a fault of the video.
    """
    size = short_side_size(*shown, params.short_side)
    header = _stored_header(size, params)
    with _one_thread(), FlowWriter(out / FILE, header) as writer:
        pairs = _choose_pairs(video, clips, params, limits)
        frames = read_pairs(video, pairs, size, limits)
        for pair, flow in solver(size, _solver_params(params), device)(frames):
            writer.write(pair, quantise(centre(flow, header.height, header.width), params.bound))
            count_part()
    return {
        "pairs": sum(map(len, pairs.values())),
        "clips_without_flow": sum(not chosen for chosen in pairs.values()),
        "height": header.height,
        "width": header.width,
    }


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep OpenCV from using threads for small resizes: every core has a worker."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def short_side_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Return (width, height) with the short side given and the aspect kept, rounded."""
    short = min(width, height)
    return round(width * short_side / short), round(height * short_side / short)


def _stored_header(size: tuple[int, int], params: FlowParams) -> FlowHeader:
    """Return the file's header for images computed at `size` (width, height)."""
    crop = CROP if params.keep == "crop224" else max(size)
    return FlowHeader(height=min(size[1], crop), width=min(size[0], crop), bound=params.bound)


def _solver_params(params: FlowParams) -> TVL1Params:
    """Return the solver's part of the section."""
    names = TVL1Params.__dataclass_fields__
    return TVL1Params(**{name: getattr(params, name) for name in names})


def _choose_pairs(
    video: Path, clips: Sequence[Clip], params: FlowParams, limits: Limits
) -> dict[int, list[Pair]]:
    """Return the pairs of every clip, by its index; at a rate of its own, decode for the times."""
    if params.rate == "native":
        return {clip.index: clip_pairs(clip, params.pairs_per_clip) for clip in clips}
    times = [frame.time for frame in read_frames(video, size=_SMALL, limits=limits)]
    chosen = {}
    for clip in clips:
        near = nearest_frames(times[clip.start : clip.stop], params.rate)
        frames = [clip.start + position for position in near]
        chosen[clip.index] = clip_pairs(clip, params.pairs_per_clip, frames)
    return chosen


def read_pairs(
    video: Path, pairs: dict[int, list[Pair]], size: tuple[int, int], limits: Limits
) -> Iterator[FramePair]:
    """Yield the frames of every pair, resized to (width, height), in one pass over the video.

    A frame is kept until the pair that starts with it is complete: never more than two.
    """
    ends = {last: FlowPair(clip, first, last) for clip in pairs for first, last in pairs[clip]}
    starts = {pair.prev_index for pair in ends.values()}
    held: dict[int, np.ndarray] = {}
    for frame in read_frames(video, ends.keys() | starts, pixels="gray", size=size, limits=limits):
        if frame.index in ends:
            pair = ends[frame.index]
            yield FramePair(pair, held.pop(pair.prev_index), frame.image)
        if frame.index in starts:
            held[frame.index] = frame.image


Solved = Iterator[tuple[FlowPair, np.ndarray]]


def solver(
    size: tuple[int, int], params: TVL1Params, device: str
) -> Callable[[Iterable[FramePair]], Solved]:
    """Return what turns pairs of frames of (width, height) into flow (H, W, 2), on `device`."""
    if device == "cpu":
        tvl1 = TVL1(size[1], size[0], params)
        return lambda frames: ((pair, tvl1.flow(prev, next_)) for pair, prev, next_ in frames)
    return lambda frames: _solve_batches(frames, params, device)


def _solve_batches(frames: Iterable[FramePair], params: TVL1Params, device: str) -> Solved:
    """Yield the flow of every pair, computed by PyTorch in batches."""
    import torch

    from mmx.flow.batch import tvl1_batch

    remaining = iter(frames)
    while batch := list(islice(remaining, BATCH)):
        prev, next_ = (
            torch.from_numpy(np.stack([getattr(frame, name) for frame in batch]))
            for name in ("prev", "next")
        )
        flows = tvl1_batch(prev, next_, params, device).cpu().numpy()
        yield from zip((frame.pair for frame in batch), flows, strict=True)


def centre(flow: np.ndarray, height: int, width: int) -> np.ndarray:
    """Cut the middle `height` x `width` out of a flow, halves rounded to even."""
    top = round((flow.shape[0] - height) / 2)
    left = round((flow.shape[1] - width) / 2)
    return flow[top : top + height, left : left + width]
