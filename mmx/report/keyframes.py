"""Key frames of a few trailers as small JPEG pictures (figure 3, and the explorer's films)."""

import base64
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from mmx.media.clip import Clip
from mmx.media.faults import Limits, MediaFault
from mmx.media.frames import read_frames

QUALITY = 72


def evenly_spaced(count: int, wanted: int) -> list[int]:
    """Return `wanted` evenly spaced positions in 0..count-1, each in the middle of its share."""
    wanted = min(count, wanted)
    return [(2 * share + 1) * count // (2 * wanted) for share in range(wanted)]


def key_frames(video: Path, clips: Sequence[Clip], count: int, width: int) -> list[str]:
    """Return the middle frames of `count` clips, evenly spaced over the trailer, as JPEG data URLs.

    Pictures are `width` pixels wide. For a video that cannot be read the list is empty: the page
    shows the trailer without pictures.
    """
    chosen = [clips[position] for position in evenly_spaced(len(clips), count)]
    return stills(video, [(clip.start + clip.stop) // 2 for clip in chosen], width)


def stills(video: Path, numbers: Sequence[int], width: int) -> list[str]:
    """Return the frames of these numbers, in their order in the video, as `key_frames` does."""
    try:
        frames = read_frames(video, set(numbers), limits=Limits())
        return [_data_url(_shrink(frame.image, width)) for frame in frames]
    except (MediaFault, IndexError, FileNotFoundError):
        return []


def key_frames_of(
    videos: Mapping[str, Path], clips: Mapping[str, Sequence[Clip]], count: int, width: int
) -> dict[str, list[str]]:
    """Return the key frames of several trailers by id, without those that have none."""
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda name: key_frames(videos[name], clips[name], count, width), videos)
        return {name: frames for name, frames in zip(videos, found, strict=True) if frames}


def picture_url(path: Path, width: int) -> str:
    """Return a picture file as a JPEG data URL, `width` pixels wide; empty if it cannot be read."""
    try:
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        return ""
    if image is None:
        return ""
    return _data_url(_shrink(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), width))


def decode(url: str) -> np.ndarray:
    """Return the H x W x 3 RGB picture of a data URL that `key_frames` made."""
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
