"""The one way to a video's frames: frame n is the same picture in every step."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from mmx.media.budget import check_size
from mmx.media.faults import DEFAULT_LIMITS, Limits, MediaFault
from mmx.media.pictures import decode, deinterlace
from mmx.media.scan import scan
from mmx.media.source import Source, as_media_fault, open_video
from mmx.media.timeline import Timeline
from mmx.media.upright import upright_of

Pixels = Literal["rgb24", "gray"]


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a video as it is shown: upright, square pixels, progressive."""

    index: int
    """Position in order of presentation, from 0."""
    time: Fraction
    """Presentation time in seconds since the first frame, exact."""
    duration: Fraction
    """Seconds for which it is shown, by the container or by the average rate."""
    image: np.ndarray
    """uint8, height x width x 3 (RGB) or height x width (gray), contiguous."""

    def __repr__(self) -> str:
        """Show the shape, not the pixels."""
        return f"Frame({self.index}, {float(self.time):.3f} s, {self.image.shape})"


def read_frames(
    path: Path,
    wanted: Collection[int] | None = None,
    *,
    pixels: Pixels = "rgb24",
    size: tuple[int, int] | None = None,
    square: bool = True,
    limits: Limits = DEFAULT_LIMITS,
    timeline: Timeline | None = None,
) -> Iterator[Frame]:
    """Decode a video once, from the start, and yield its frames in order of presentation.

    `wanted`: only these indices are converted and yielded, and decoding stops after the last;
    None takes all. `size`: (width, height) of the yielded images; None keeps the size at which the
    first frame is shown or, with `square` False, at which it is stored. Gray is OpenCV's luma of
    the same RGB picture. `timeline`: that of the file, where it is known; it is built otherwise.
    Memory does not depend on the length of the video, but for the times of its packets.

    Raise MediaFault where decoding reaches a fault of the video, and IndexError
    for a wanted index past the end.
    """
    chosen = None if wanted is None else frozenset(wanted)
    if chosen is not None and not chosen:
        return
    last = None if chosen is None else max(chosen)
    unconvertible = MediaFault("damaged", "a picture of the video cannot be converted")
    timeline = scan(path, limits).timeline if timeline is None else timeline
    with open_video(path, limits) as source, as_media_fault(path, unconvertible):
        converter: _FrameConverter | None = None
        for picture in deinterlace(decode(source, timeline)):
            if converter is None:
                shown = size or _size(source, picture.frame, square)
                converter = _FrameConverter(picture.frame, pixels, shown)
            if chosen is None or picture.index in chosen:
                image = converter.convert(picture.frame)
                yield Frame(picture.index, picture.time, picture.duration, image)
            if picture.index == last:
                return
    if last is not None:
        raise IndexError(f"frame {last} is wanted of a video of {picture.index + 1} frames")


def shown_size(source: Source, frame: VideoFrame) -> tuple[int, int]:
    """Return (width, height) at which the frame is shown: upright, with square pixels.

    The stored height is kept; the width is scaled by the sample aspect ratio. Raise MediaFault
    beyond the limits.
    """
    width = max(1, round(frame.width * source.sample_aspect))
    check_size(width, frame.height, source.limits)
    return upright_of(frame).size(width, frame.height)


def _size(source: Source, frame: VideoFrame, square: bool) -> tuple[int, int]:
    if square:
        return shown_size(source, frame)
    return upright_of(frame).size(frame.width, frame.height)


class _FrameConverter:
    """Converts stored pictures to images of one size, all with the orientation of the first."""

    def __init__(self, first: VideoFrame, pixels: Pixels, size: tuple[int, int]) -> None:
        self._upright = upright_of(first)
        self._width, self._height = self._upright.size(*size)
        self._gray = pixels == "gray"
        self._reformatter = VideoReformatter()

    def convert(self, frame: VideoFrame) -> np.ndarray:
        """Return the uint8 image of a stored picture: scaled, in RGB, turned, then gray."""
        converted = self._reformatter.reformat(
            frame, self._width, self._height, "rgb24",
            interpolation=Interpolation.BILINEAR, threads=1,
        )  # fmt: skip
        image = self._upright.apply(converted.to_ndarray())
        return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if self._gray else image
