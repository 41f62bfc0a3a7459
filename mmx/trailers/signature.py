"""The signature of a film: how the light of its picture changes over time, and where it jumps.

Made of the pictures alone, so that another sound track or container leaves it as it is; of coarse
regions inside any black bars, so that scaling, bars, a crop or a watermark change it little; of
changes, not levels, so that another grade does.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mmx.media.faults import DEFAULT_LIMITS, Limits
from mmx.media.frames import read_frames

RATE = 8
"""Samples of the signature per second."""
SIDE = 32
"""Width and height to which pictures are scaled."""
BLACK = 28
"""Luma that no pixel of a bar exceeds, but for the noise of compression."""
SMOOTH_S = 2.0
"""Seconds over which the level of light is removed."""
EVEN = 3.0
"""Length of a small picture, its mean taken away, below which it counts as even."""
MARKS = 12
"""Jumps that a signature describes at most."""
APART_S = 0.6
"""Seconds between two described jumps."""
LOOKS, LOOK = 2, 6
"""Pictures a second that are kept, and their width and height."""
BESIDE_S = np.array([-0.1, 0.1])
"""Seconds from a jump at which the pictures beside it are taken."""
_QUARTERS = ((0, 0), (0, 1), (1, 0), (1, 1))
REGIONS = len(_QUARTERS) + 1
"""Regions of which the light is kept: quarters and middle."""


@dataclass(frozen=True, eq=False)
class Signature:
    """A film as `compare` sees it."""

    light: np.ndarray
    """float32 [samples, 5]: roots of the changing luma of quarters and middle, `RATE` a second."""
    marks: np.ndarray
    """float32 [jumps]: seconds of the strongest jumps, in order of time."""
    looks: np.ndarray
    """float32 [pictures, LOOK * LOOK]: `LOOKS` a second, mean 0 and length 1; 0 where even."""
    beside: np.ndarray
    """float32 [jumps, 2 * LOOK * LOOK]: such pictures of just before and just after each jump."""

    @property
    def seconds(self) -> float:
        """Length of the film."""
        return len(self.light) / RATE

    def pack(self) -> str:
        """Return the signature as text; `unpack` reads it."""
        head = np.array([len(self.light), len(self.marks), len(self.looks)], "<i4").tobytes()
        parts = [array.astype("<f2").tobytes() for array in (self.light, self.looks, self.beside)]
        # Two bytes would be too coarse for the times of a long film.
        marks = self.marks.astype("<f4").tobytes()
        return base64.b64encode(b"".join([head, marks, *parts])).decode()

    @classmethod
    def unpack(cls, text: str) -> "Signature":
        """Read what `pack` returned; raise ValueError for anything else."""
        data = base64.b64decode(text, validate=True)
        samples, jumps, looks = (int(n) for n in np.frombuffer(data[:12], "<i4"))
        shapes = ((samples, REGIONS), (looks, LOOK**2), (jumps, 2 * LOOK**2))
        ends = np.cumsum([np.prod(shape) for shape in shapes])
        if min(samples, jumps, looks) < 0 or len(data) != 12 + 4 * jumps + 2 * ends[-1]:
            raise ValueError("not a packed signature")
        marks = np.frombuffer(data[12 : 12 + 4 * jumps], "<f4")
        values = np.frombuffer(data[12 + 4 * jumps :], "<f2").astype(np.float32)
        light, pictures, beside = np.split(values, ends[:-1])
        return cls(
            light.reshape(shapes[0]), marks, pictures.reshape(shapes[1]), beside.reshape(shapes[2])
        )


def read_signature(path: Path, limits: Limits = DEFAULT_LIMITS) -> Signature:
    """Return the signature of a video; raise MediaFault where it cannot be decoded."""
    frames = read_frames(path, pixels="gray", size=(SIDE, SIDE), limits=limits)
    times, pictures = zip(*((float(frame.time), frame.image) for frame in frames), strict=True)
    return sign(np.array(times), np.stack(pictures))


def sign(times: np.ndarray, pictures: np.ndarray) -> Signature:
    """Return the signature of pictures (uint8 [frames, SIDE, SIDE]) at `times`, in seconds."""
    inside = _inside_bars(pictures)
    levels = _levels(inside)
    grid = np.arange(int(times[-1] * RATE) + 1) / RATE
    light = _flat(_at(grid, times, levels))
    marks = _jumps(times, levels)
    arrays = (light, marks, *_looks(times, inside, marks))
    return Signature(*(array.astype(np.float32) for array in arrays))


def _looks(
    times: np.ndarray, pictures: np.ndarray, marks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return small pictures at regular times, and those before and after each jump.

    The film's mean picture is taken away first, and with it what stands still, like a watermark.
    """
    regular = _small(times, pictures, np.arange(max(int(times[-1] * LOOKS), 1)) / LOOKS)
    beside = _small(times, pictures, (marks[:, None] + BESIDE_S).ravel())
    still = regular.mean(axis=0)
    return _unit(regular - still), _unit(beside - still).reshape(len(marks), 2 * LOOK**2)


def _small(times: np.ndarray, pictures: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the pictures that are shown at some times, small, each without its mean."""
    shown = pictures[np.maximum(np.searchsorted(times, wanted, "right") - 1, 0)]
    small = [cv2.resize(each, (LOOK, LOOK), interpolation=cv2.INTER_AREA) for each in shown]
    rows = np.asarray(small, float).reshape(len(small), LOOK**2)
    centred: np.ndarray = rows - rows.mean(axis=1, keepdims=True)
    return centred


def _unit(rows: np.ndarray) -> np.ndarray:
    """Return pictures at length 1; zeros for an even picture."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: np.ndarray = np.where(length > EVEN, rows / np.maximum(length, EVEN), 0.0)
    return unit


def _inside_bars(pictures: np.ndarray) -> np.ndarray:
    """Return the pictures without rows and columns at the edges that are always black."""
    bright = np.percentile(pictures, 80, axis=0)
    rows, columns = (_lit(bright.max(axis=axis)) for axis in (1, 0))
    return pictures[:, rows, columns]


def _lit(line: np.ndarray) -> slice:
    """Return the part of a line between its black ends; all of a line that is black."""
    lit = np.flatnonzero(line > BLACK)
    if len(lit) < SIDE // 4:
        return slice(None)
    return slice(int(lit[0]), int(lit[-1]) + 1)


def _levels(pictures: np.ndarray) -> np.ndarray:
    """Return the mean luma of the quarters and of the middle of every picture."""
    height, width = pictures.shape[1] // 2, pictures.shape[2] // 2
    quarters = [
        pictures[:, y * height : y * height + height, x * width : x * width + width]
        for y, x in _QUARTERS
    ]
    middle = pictures[:, height // 2 : height // 2 + height, width // 2 : width // 2 + width]
    return np.stack([part.mean(axis=(1, 2)) for part in (*quarters, middle)], axis=1)


def _at(wanted: np.ndarray, times: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return the levels at other times, each the mean over a sample's time."""
    near = wanted[:, None] + (np.arange(4) - 1.5) / (4 * RATE)
    return np.stack([np.interp(near, times, each).mean(axis=1) for each in levels.T], axis=1)


def _flat(light: np.ndarray) -> np.ndarray:
    """Return light without its level over `SMOOTH_S` seconds, as signed roots.

    Of roots, so that one jump from black to white does not outweigh all that happens beside it.
    """
    width = min(int(SMOOTH_S * RATE), max(len(light), 1))
    count = np.convolve(np.ones(len(light)), np.ones(width), "same")
    mean = [np.convolve(each, np.ones(width), "same") / count for each in light.T]
    left = light - np.stack(mean, axis=1)
    rooted: np.ndarray = np.sign(left) * np.sqrt(np.abs(left))
    return rooted


def _jumps(times: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return the times of the strongest changes from one picture to the next, in their order."""
    change = np.abs(np.diff(levels, axis=0)).sum(axis=1)
    middle = (times[1:] + times[:-1]) / 2
    chosen: list[float] = []
    for place in _strongest(change):
        if len(chosen) == MARKS:
            break
        if all(abs(middle[place] - other) >= APART_S for other in chosen):
            chosen.append(float(middle[place]))
    return np.array(sorted(chosen))


def _strongest(change: np.ndarray) -> Iterable[int]:
    return (int(place) for place in np.argsort(-change, kind="stable"))
