"""Frames of single moments as small JPEG pictures, for films that are shown side by side."""

import base64
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mmx.media.faults import Limits, MediaFault
from mmx.media.frames import read_frames

QUALITY = 72


def stills(video: Path, numbers: Sequence[int], width: int) -> list[str]:
    """Return the frames of these numbers, in their order in the video, as JPEG data URLs.

    Pictures are `width` pixels wide. For a video that cannot be read the list is empty.
    """
    try:
        frames = read_frames(video, set(numbers), limits=Limits())
        return [_data_url(_shrink(frame.image, width)) for frame in frames]
    except (MediaFault, IndexError, FileNotFoundError):
        return []


def decode(url: str) -> np.ndarray:
    """Return the H x W x 3 RGB picture of a data URL that `stills` made."""
    data = np.frombuffer(base64.b64decode(url.partition(",")[2]), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert image is not None
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _shrink(image: np.ndarray, width: int) -> np.ndarray:
    """Scale an H x W x 3 picture to a width, keeping its shape."""
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _data_url(image: np.ndarray) -> str:
    """Encode an H x W x 3 RGB picture."""
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")
