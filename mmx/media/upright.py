"""How a stored picture is turned and mirrored to stand upright."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import numpy as np
from av.sidedata.sidedata import SideData, Type
from av.video.frame import VideoFrame

IDENTITY = (1, 0, 0, 1)


@dataclass(frozen=True)
class Upright:
    """A transposition, then mirrorings: any of the eight ways to turn a rectangle."""

    transpose: bool
    """Exchange rows and columns first."""
    mirror: bool
    """Then exchange left and right."""
    flip: bool
    """Then exchange top and bottom."""

    @property
    def rotation(self) -> int:
        """Degrees by which the picture is turned clockwise: 0, 90, 180 or 270."""
        if self.transpose:
            return 90 if self.mirror else 270
        return 180 if self.mirror else 0

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return (width, height) of the upright picture, or, the other way, of the stored one."""
        return (height, width) if self.transpose else (width, height)

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Transform `image` (height x width x ...) upright; contiguous, a copy only if changed."""
        if self.transpose:
            image = image.swapaxes(0, 1)
        if self.mirror:
            image = image[:, ::-1]
        if self.flip:
            image = image[::-1]
        return np.ascontiguousarray(image)


def upright_of(frame: VideoFrame) -> Upright:
    """Return the transformation of the frame's display matrix, to the nearest right angle.

    The matrix sends pixel (p, q) to (a p + c q, b p + d q).
    """
    a, b, c, d = _matrix(frame)
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Upright(transpose=False, mirror=a < 0, flip=d < 0)
    return Upright(transpose=True, mirror=c < 0, flip=b < 0)


def _matrix(frame: VideoFrame) -> tuple[int, ...]:
    for data in cast(Iterable[SideData], frame.side_data):
        if data.type is Type.DISPLAYMATRIX:
            a, b, _, c, d, *_ = np.frombuffer(bytes(data), np.int32).tolist()
            return a, b, c, d
    return IDENTITY
