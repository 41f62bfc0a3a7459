"""One trailer's share of the flow step: decode, sample, compute, quantise, store."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mmx.flow.parameters import TVL1Params
from mmx.flow.quantise import quantise
from mmx.flow.sampling import Pair, clip_pairs, nearest_frames
from mmx.flow.store import FlowHeader, FlowPair, FlowWriter
from mmx.flow.tvl1 import tvl1
from mmx.media.clip import Clip
from mmx.media.frames import read_frames
from mmx.media.limits import Limits
from mmx.media.probe import probe
from mmx.params import FlowParams

FILE = "trailer.flow"
CROP = 224
"""Side of the centre that `keep: crop224` stores, in pixels."""
_SMALL = (16, 16)


def flow_item(
    *, video: Path, clips: list[Clip], params: FlowParams, limits: Limits, out: Path
) -> dict[str, int]:
    """Write the flow of a trailer's clips (section 4.1's Dual TV-L1) to `out` / `trailer.flow`.

    Return how many pairs there are, how many clips have none, and the stored images' size. Raise
    MediaFault for what is wrong with the video.
    """
    probed = probe(video, limits)
    size = short_side_size(probed.width, probed.height, params.short_side)
    pairs = choose_pairs(video, clips, params, limits)
    crop = CROP if params.keep == "crop224" else max(size)
    header = FlowHeader(height=min(size[1], crop), width=min(size[0], crop), bound=params.bound)
    with FlowWriter(out / FILE, header) as writer:
        for pair, flow in compute_flow(video, pairs, size, solver_params(params), limits):
            writer.write(pair, quantise(centre(flow, header.height, header.width), params.bound))
    return {
        "pairs": sum(map(len, pairs.values())),
        "clips_without_flow": sum(not chosen for chosen in pairs.values()),
        "height": header.height,
        "width": header.width,
    }


def short_side_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Return (width, height) with the short side given and the aspect kept, rounded."""
    short = min(width, height)
    return round(width * short_side / short), round(height * short_side / short)


def solver_params(params: FlowParams) -> TVL1Params:
    """Return the solver's part of the section."""
    names = TVL1Params.__dataclass_fields__
    return TVL1Params(**{name: getattr(params, name) for name in names})


def choose_pairs(
    video: Path, clips: Sequence[Clip], params: FlowParams, limits: Limits
) -> dict[int, list[Pair]]:
    """Return the pairs of every clip, by its index."""
    if params.rate == "native":
        return {clip.index: clip_pairs(clip, params.pairs_per_clip) for clip in clips}
    times = [frame.time for frame in read_frames(video, size=_SMALL, limits=limits)]
    chosen = {}
    for clip in clips:
        near = nearest_frames(times[clip.start : clip.stop], params.rate)
        frames = [clip.start + position for position in near]
        chosen[clip.index] = clip_pairs(clip, params.pairs_per_clip, frames)
    return chosen


def compute_flow(
    video: Path,
    pairs: dict[int, list[Pair]],
    size: tuple[int, int],
    params: TVL1Params,
    limits: Limits,
) -> Iterator[tuple[FlowPair, np.ndarray]]:
    """Yield the flow (float32, height x width x 2) of every pair, in one pass over the video."""
    ends = {later: FlowPair(clip, first, later) for clip in pairs for first, later in pairs[clip]}
    starts = {pair.prev_index for pair in ends.values()}
    held: dict[int, np.ndarray] = {}
    for frame in read_frames(video, ends.keys() | starts, pixels="gray", size=size, limits=limits):
        if frame.index in ends:
            pair = ends[frame.index]
            yield pair, tvl1(held.pop(pair.prev_index), frame.image, params)
        if frame.index in starts:
            held[frame.index] = frame.image


def centre(flow: np.ndarray, height: int, width: int) -> np.ndarray:
    """Cut the middle `height` x `width` out of a flow, halves rounded to even."""
    top = round((flow.shape[0] - height) / 2)
    left = round((flow.shape[1] - width) / 2)
    return flow[top : top + height, left : left + width]
