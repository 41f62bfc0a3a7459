"""Shots: PySceneDetect's detectors on the frames that every other step sees (section 4.1).

The detector gets pictures as from PySceneDetect's own command: BGR, scaled down to 256 pixels on
the longer side, numbered by their time at the nominal rate, so that the shortest shot has the same
duration where the rate varies. They have the stored aspect, as there. One difference is intended:
they are upright and progressive.
"""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import cv2
import numpy as np
import pyarrow as pa
from scenedetect.scene_manager import compute_downscale_factor

from mmx.engine.rows import write_rows
from mmx.media.clip import Clip
from mmx.media.faults import DEFAULT_LIMITS, Limits
from mmx.media.frames import read_frames
from mmx.media.source import open_video
from mmx.params import ScenesParams
from mmx.scenes.detectors import new_detector
from mmx.scenes.frame_number import FrameNumber

NONE: Mapping[str, Path] = MappingProxyType({})

SCHEMA = pa.schema(
    [
        ("clip", pa.int32()),
        ("start", pa.int64()),
        ("stop", pa.int64()),
        ("start_s", pa.float64()),
        ("stop_s", pa.float64()),
        ("cut_score", pa.float64()),
    ]
)
"""A row per kept clip; `cut_score` is null where the clip does not begin at a cut."""


@dataclass(frozen=True)
class Shots:
    """Where a video is cut, and when its frames are shown."""

    cuts: dict[int, float]
    """First frame of each shot but the first, in order, to what the detector measured there, in
    the unit of its threshold."""
    times: "array[float]"
    """Seconds since the first frame at which each frame is shown, then the end of the last."""

    @property
    def frames(self) -> int:
        """Number of frames of the video."""
        return len(self.times) - 1

    @property
    def edges(self) -> list[int]:
        """The first frame of every shot, then the number of frames."""
        return [0, *self.cuts, self.frames]


def detect_shots(
    video: Path,
    params: ScenesParams,
    limits: Limits = DEFAULT_LIMITS,
    weights: Mapping[str, Path] = NONE,
) -> Shots:
    """Find the cuts of `video`; raise MediaFault for a fault of the video.

    `weights`: file name -> path, for a detector that is a network. Memory: one frame, and a few
    numbers per frame of the video.
    """
    detector = new_detector(params, weights)
    with open_video(video, limits) as source:
        rate = source.nominal_rate
    times: array[float] = array("d")
    cuts: list[FrameNumber] = []
    for frame in read_frames(video, square=False, limits=limits):
        cuts += detector.process_frame(FrameNumber.of(frame, rate), _shrink(frame.image))
        times.append(float(frame.time))
    cuts += detector.finish()
    times.append(float(frame.time + frame.duration))
    return Shots({cut.index: detector.cut_score(cut.index) for cut in cuts}, times)


def _shrink(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    factor = compute_downscale_factor(max(width, height))
    if factor > 1.0:
        size = (max(1, round(width / factor)), max(1, round(height / factor)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    return cv2.cvtColor(image, cv2.COLOR_RGB2BGR)


def keep_clips(shots: Shots, drop: Literal["clip", "frame", "none"]) -> list[Clip]:
    """Turn shots into the clips that are kept, numbered from 0.

    `clip` drops the first and the last shot, which hold logos and end cards; `frame` drops the
    first and the last frame of every shot, and the shots that have no others; `none` keeps all.
    """
    spans = list(pairwise(shots.edges))
    if drop == "clip":
        spans = spans[1:-1]
    if drop == "frame":
        spans = [(start + 1, stop - 1) for start, stop in spans if stop - start > 2]
    return [
        Clip(index, start, stop, shots.times[start], shots.times[stop])
        for index, (start, stop) in enumerate(spans)
    ]


def detect_item(
    *,
    video: Path,
    params: ScenesParams,
    limits: Limits,
    out: Path,
    weights: Mapping[str, Path] = NONE,
) -> dict[str, int | float]:
    """Write the kept clips of `video` as the rows of an item; return its facts.

    Rows: SCHEMA. Facts: `frames`, `cuts` and `clips` count, `duration_s` is the end of the last
    frame in seconds since the first.
    """
    shots = detect_shots(video, params, limits, weights)
    clips = keep_clips(shots, params.drop_first_last)
    inset = params.drop_first_last == "frame"
    rows = [
        (c.index, c.start, c.stop, c.start_s, c.stop_s, shots.cuts.get(c.start - inset))
        for c in clips
    ]
    columns = zip(*rows, strict=True) if rows else [()] * len(SCHEMA)
    write_rows(out, pa.table(dict(zip(SCHEMA.names, columns, strict=True)), schema=SCHEMA))
    return {
        "frames": shots.frames,
        "cuts": len(shots.cuts),
        "clips": len(clips),
        "duration_s": shots.times[-1],
    }
