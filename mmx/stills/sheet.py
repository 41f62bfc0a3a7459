"""The layout of a sheet: one picture per trailer with a column for each clip that it shows.

From top to bottom a column has a frame of the clip, its optical flow, the wave of its sound, and
the frames of its preview, if any. All cells have one size, so that a page cuts them out by number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

QUALITY = 72
"""Of WebP, 0 to 100."""


@dataclass(frozen=True)
class Cells:
    """Sizes in pixels."""

    width: int
    """Of every cell."""
    previews: int = 0
    """Frames of a clip's preview."""

    @property
    def height(self) -> int:
        """Of a picture: 16 to 9."""
        return round(self.width * 9 / 16)

    @property
    def wave(self) -> int:
        """Height of the wave of the sound."""
        return round(self.height / 3)


def fitted(image: np.ndarray, cells: Cells) -> np.ndarray:
    """Return an H x W x 3 picture scaled into a cell, whole, on black."""
    height, width = image.shape[:2]
    scale = min(cells.width / width, cells.height / height)
    across, down = (max(1, round(side * scale)) for side in (width, height))
    field = blank(cells)
    left, top = (cells.width - across) // 2, (cells.height - down) // 2
    shrunk = cv2.resize(image, (across, down), interpolation=cv2.INTER_AREA)
    field[top : top + down, left : left + across] = shrunk
    return field


def blank(cells: Cells) -> np.ndarray:
    """Return a black picture of a cell's size."""
    return np.zeros((cells.height, cells.width, 3), np.uint8)


def encode(rows: Sequence[Sequence[np.ndarray]]) -> bytes:
    """Return rows of RGB cells as one WebP picture; equal cells give equal bytes."""
    sheet = np.concatenate([np.concatenate(row, axis=1) for row in rows])
    options = [cv2.IMWRITE_WEBP_QUALITY, QUALITY]
    _, data = cv2.imencode(".webp", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), options)
    return data.tobytes()


def first_frame(path: Path, cells: Cells) -> np.ndarray | None:
    """Return the RGB frame of a sheet's first clip; None if the file is no picture."""
    image = read_picture(path)
    return None if image is None else image[: cells.height, : cells.width]


def read_picture(path: Path) -> np.ndarray | None:
    """Return a picture file as H x W x 3 RGB; None if it cannot be read."""
    try:
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        return None
    return None if image is None else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
