"""Surfaces and layouts: grey pictures from which a shot's colours are mixed."""

from collections.abc import Callable

import cv2
import numpy as np

Grey = np.ndarray
Random = np.random.Generator


def texture(name: str, height: int, width: int, rng: Random) -> Grey:
    """Return a surface, uint8 height x width, that spans most of 0 to 255."""
    surface = TEXTURES[name](height, width, rng)
    low, high = surface.min(), surface.max()
    grey: Grey = np.rint((surface - low) * (255 / (high - low))).astype(np.uint8)
    return grey


def layout(name: str, height: int, width: int) -> Grey:
    """Return the share of a stage's second zone at each pixel: float32 height x width, 0 to 1."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    second = np.clip(LAYOUTS[name](x / (width - 1), y / (height - 1)), 0.0, 1.0)
    share: Grey = second.astype(np.float32)
    return share


def _noise(height: int, width: int, rows: int, columns: int, rng: Random) -> Grey:
    coarse = rng.random((max(rows, 2), max(columns, 2)), dtype=np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def _clouds(height: int, width: int, rng: Random) -> Grey:
    clouds: Grey = np.sum([_noise(height, width, n, 2 * n, rng) / n for n in (4, 8, 16)], axis=0)
    return clouds


def _streaks(height: int, width: int, rng: Random) -> Grey:
    return _noise(height, width, 5, width // 4, rng) + 0.4 * _noise(height, width, 3, 6, rng)


def _bricks(height: int, width: int, rng: Random) -> Grey:
    step = max(height // 9, 4)
    surface = np.empty((height, width), np.float32)
    for row in range(0, height, step):
        shift = (row // step % 2) * step
        tones = np.repeat(rng.random(width // (2 * step) + 2, dtype=np.float32), 2 * step)
        surface[row : row + step] = tones[shift : shift + width]
        surface[row : row + max(step // 6, 1)] = 0.0
    return surface


def _facets(height: int, width: int, rng: Random) -> Grey:
    surface = np.zeros((height, width), np.float32)
    for _ in range(40):
        corners = rng.uniform((-0.2, -0.2), (1.2, 1.2), (3, 2)) * (width, height)
        cv2.fillPoly(surface, [corners.astype(np.int32)], float(rng.random()))
    return surface


def _dots(height: int, width: int, rng: Random) -> Grey:
    step = height / 7
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    phase = rng.uniform(0, step, 2)
    across, down = (x + phase[0]) * 2 * np.pi / step, (y + phase[1]) * 2 * np.pi / step
    dots: Grey = np.cos(across) * np.cos(down)
    return dots


def _specks(height: int, width: int, rng: Random) -> Grey:
    surface = 0.3 * _clouds(height, width, rng)
    for x, y in rng.uniform(0, 1, (90, 2)) * (width, height):
        cv2.circle(surface, (int(x), int(y)), max(height // 60, 1), 1.0, -1)
    return surface


def _weave(height: int, width: int, rng: Random) -> Grey:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    pitch = 2 * np.pi * rng.uniform(9, 12) / height
    threads: Grey = np.sin((x + y) * pitch) + 0.5 * np.sin((x - y) * pitch)
    return threads


TEXTURES: dict[str, Callable[[int, int, Random], Grey]] = {
    "clouds": _clouds,
    "streaks": _streaks,
    "bricks": _bricks,
    "facets": _facets,
    "dots": _dots,
    "specks": _specks,
    "weave": _weave,
}

LAYOUTS: dict[str, Callable[[Grey, Grey], Grey]] = {
    "horizon": lambda x, y: 12 * (y - 0.55),
    "pit": lambda x, y: 2.2 * y - 0.6 + 0.3 * np.abs(x - 0.5),
    "columns": lambda x, y: 3 * np.sin(6 * np.pi * x) + 0.5,
    "spot": lambda x, y: 4 * (np.hypot(x - 0.5, y - 0.45) - 0.22),
    "frame": lambda x, y: 12 * (np.maximum(np.abs(x - 0.5), np.abs(y - 0.5)) - 0.36),
    "halves": lambda x, y: 14 * (x - 0.5),
    "slope": lambda x, y: 8 * (y - 0.2 - 0.6 * x),
}
