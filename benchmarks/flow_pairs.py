"""Pairs of consecutive frames from the clips of a folder of videos, and how two flows compare."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mmx.flow.item import read_pairs, short_side_size
from mmx.flow.parameters import TVL1Params
from mmx.flow.quantise import quantise
from mmx.flow.sampling import Pair, clip_pairs, evenly_spaced
from mmx.media.clip import Clip
from mmx.media.faults import Limits, MediaFault
from mmx.media.probe import probe
from mmx.params import ScenesParams
from mmx.scenes.shots import detect_shots, keep_clips

PARAMS = TVL1Params()
BOUND = 20.0
_TINY = 1e-9
"""Frames without any content have no energy; the ratio is then 1."""


@dataclass(frozen=True)
class Footage:
    """The chosen pairs of one video."""

    video: Path
    clips: int
    size: tuple[int, int]
    """(width, height) as shown."""
    pairs: dict[int, list[Pair]]
    """By clip."""

    def read(self, short_side: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Yield a name and the two grey frames of every pair, resized."""
        size = short_side_size(*self.size, short_side)
        for pair, prev, next_ in read_pairs(self.video, self.pairs, size, Limits()):
            yield f"{self.video.stem} {pair.prev_index}", prev, next_


def find_footage(folder: Path, count: int) -> list[Footage]:
    """Choose `count` pairs, from all clips of all videos that can be read, each clip's
    share by its length; at least one of each."""
    shots = {video: _clips(video) for video in sorted(folder.iterdir()) if video.is_file()}
    shots = {video: clips for video, clips in shots.items() if clips}
    total = sum(clip.length - 1 for clips in shots.values() for clip in clips)
    chosen = []
    for video, clips in shots.items():
        pairs = {}
        for clip in clips:
            wanted = max(1, round(count * (clip.length - 1) / total))
            pairs[clip.index] = clip_pairs(clip, wanted)
        probed = probe(video)
        chosen.append(Footage(video, len(clips), (probed.width, probed.height), pairs))
    return chosen


def _clips(video: Path) -> list[Clip]:
    try:
        return keep_clips(detect_shots(video, ScenesParams()), "none")
    except MediaFault:
        return []


def thin(footage: list[Footage], count: int) -> list[Footage]:
    """Return `count` of the pairs, evenly spaced."""
    every = [(index, clip, pair) for index, each in enumerate(footage)
             for clip, pairs in each.pairs.items() for pair in pairs]  # fmt: skip
    kept = {every[place] for place in evenly_spaced(len(every), count)}
    return [
        Footage(each.video, each.clips, each.size, {
            clip: [pair for pair in pairs if (index, clip, pair) in kept]
            for clip, pairs in each.pairs.items()
        })
        for index, each in enumerate(footage)
    ]  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """How two flows of a pair differ."""

    mean: float
    """End-point difference in pixels, as is the next."""
    p99: float
    levels: float
    """Share of the 8-bit values that differ by more than one level."""
    energy: float
    """TV-L1 energy of the first by that of the second."""


def compare(
    prev: np.ndarray, next_: np.ndarray, ours: np.ndarray, theirs: np.ndarray
) -> Difference:
    """Compare two flows (H, W, 2) of a pair."""
    distance = np.linalg.norm(ours - theirs, axis=-1)
    levels = [quantise(flow, BOUND).astype(np.int16) for flow in (ours, theirs)]
    return Difference(
        mean=float(distance.mean()),
        p99=float(np.percentile(distance, 99)),
        levels=float((np.abs(levels[0] - levels[1]) > 1).mean()),
        energy=(energy(prev, next_, ours) + _TINY) / (energy(prev, next_, theirs) + _TINY),
    )


def nudge(frame: np.ndarray, seed: int) -> np.ndarray:
    """Return a uint8 frame as floats of 0 to 1, half of which are the next larger number instead.

    The difference is below any camera noise; the change of the flow shows the effect of rounding.
    """
    levels = frame.astype(np.float32) / np.float32(255.0)
    chosen = np.random.default_rng(seed).random(frame.shape) < 0.5
    return np.where(chosen, np.nextafter(levels, np.float32(2.0)), levels)


def energy(prev: np.ndarray, next_: np.ndarray, flow: np.ndarray) -> float:
    """Total variation of the flow plus lambda times the difference in brightness, summed."""
    rows, width = prev.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(rows, dtype=np.float32))
    warped = cv2.remap(
        next_.astype(np.float32), x + flow[..., 0], y + flow[..., 1], cv2.INTER_CUBIC
    )
    change = np.zeros((2, *flow.shape))
    change[0, :, :-1] = np.diff(flow, axis=1)
    change[1, :-1] = np.diff(flow, axis=0)
    data = np.abs(warped - prev).sum(dtype=np.float64)
    return float(np.linalg.norm(change, axis=0).sum() + PARAMS.lambda_ * data)
