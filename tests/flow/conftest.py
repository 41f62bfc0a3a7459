"""Moving textures whose motion is known exactly: sums of waves, evaluated where they have moved."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import cv2
import numpy as np
import pytest

from mmx.flow.parameters import TVL1Params
from mmx.flow.quantise import quantise

DEFAULTS = TVL1Params()
CPU_AVX2 = 11
"""OpenCV's number for it, which its Python module does not name."""


@dataclass(frozen=True)
class Moving:
    """Two frames and the movement between them."""

    prev: np.ndarray
    """uint8 (H, W)."""
    next: np.ndarray
    truth: np.ndarray
    """float64 (H, W, 2): pixels right and down, at the pixels of `prev`."""


def texture(x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """Grey levels of 0 to 255 at any place: forty waves of 12 to 60 pixels in random directions."""
    rng = np.random.default_rng(seed)
    total = np.zeros(np.broadcast(x, y).shape)
    for length, angle, phase in zip(
        rng.uniform(12, 60, 40),
        rng.uniform(0, np.pi, 40),
        rng.uniform(0, 2 * np.pi, 40),
        strict=True,
    ):
        along = x * np.cos(angle) + y * np.sin(angle)
        total += np.sqrt(length) * np.sin(2 * np.pi * along / length + phase)
    levels: np.ndarray = np.clip(127.5 + 9 * total / np.sqrt(36), 0, 255)
    return levels


def grid(rows: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y of every pixel."""
    y, x = np.mgrid[:rows, :width].astype(np.float64)
    return x, y


def as_uint8(image: np.ndarray) -> np.ndarray:
    levels: np.ndarray = np.rint(image).astype(np.uint8)
    return levels


def translation(rows: int, width: int, dx: float, dy: float, seed: int = 1) -> Moving:
    """A texture that moves by (dx, dy) everywhere."""
    x, y = grid(rows, width)
    truth = np.broadcast_to([dx, dy], (rows, width, 2))
    prev, next_ = texture(x, y, seed), texture(x - dx, y - dy, seed)
    return Moving(as_uint8(prev), as_uint8(next_), truth)


def rotation(rows: int, width: int, degrees: float, seed: int = 2) -> Moving:
    """A texture that turns around the middle of the image."""
    x, y = grid(rows, width)
    cx, cy = (width - 1) / 2, (rows - 1) / 2
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    back_x, back_y = c * (x - cx) + s * (y - cy) + cx, c * (y - cy) - s * (x - cx) + cy
    there_x, there_y = c * (x - cx) - s * (y - cy) + cx, c * (y - cy) + s * (x - cx) + cy
    truth = np.stack([there_x - x, there_y - y], axis=-1)
    return Moving(as_uint8(texture(x, y, seed)), as_uint8(texture(back_x, back_y, seed)), truth)


def occlusion(rows: int, width: int, seed: int = 3) -> Moving:
    """A textured disc that moves over a texture that moves the other way."""
    x, y = grid(rows, width)
    frames = []
    for step in (0, 1):
        ground = texture(x - 1.5 * step, y + 0.5 * step, seed)
        disc = texture(x + 2.5 * step, y - 2.0 * step, seed + 1)
        inside = np.hypot(x + 2.5 * step - width / 2, y - 2.0 * step - rows / 2) < rows / 4
        frames.append(as_uint8(np.where(inside, disc, ground)))
    inside = (np.hypot(x - width / 2, y - rows / 2) < rows / 4)[..., None]
    return Moving(frames[0], frames[1], np.where(inside, [-2.5, 2.0], [1.5, -0.5]))


def need_avx2() -> None:
    """Skip a comparison with OpenCV's bits where it has not the kernels that they come from."""
    if not cv2.checkHardwareSupport(CPU_AVX2):
        pytest.skip("OpenCV's remap rounds differently without AVX2")


def opencv(prev: np.ndarray, next_: np.ndarray, params: TVL1Params = DEFAULTS) -> np.ndarray:
    """OpenCV's own Dual TV-L1."""
    need_avx2()
    create: Any = vars(cv2.optflow)["DualTVL1OpticalFlow_create"]  # types leave it out
    solver = create(
        tau=params.tau,
        lambda_=params.lambda_,
        theta=params.theta,
        nscales=params.scales,
        warps=params.warps,
        epsilon=params.epsilon,
        innnerIterations=params.inner_iterations,
        outerIterations=params.outer_iterations,
        scaleStep=params.scale_step,
        gamma=params.gamma,
        medianFiltering=params.median_filtering,
    )
    flow: np.ndarray = solver.calc(prev, next_, None)
    return flow


def end_point_error(flow: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Distance in pixels, (H, W)."""
    distances: np.ndarray = np.linalg.norm(flow - other, axis=-1)
    return distances


def write_video(path: Path, frames: Iterable[np.ndarray], times: Iterable[int]) -> Path:
    """Encode grey frames without loss, shown at `times` in hundredths of a second."""
    with av.open(str(path), "w") as container:
        stream = None
        for image, time in zip(frames, times, strict=True):
            if stream is None:
                stream = container.add_stream("ffv1", rate=100)
                stream.height, stream.width = image.shape
                stream.pix_fmt = "gray"
                stream.codec_context.time_base = Fraction(1, 100)
            frame = av.VideoFrame.from_ndarray(image, format="gray")
            frame.pts, frame.time_base = time, Fraction(1, 100)
            container.mux(stream.encode(frame))
        assert stream is not None
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def kit() -> SimpleNamespace:
    """The functions of this file."""
    names = (
        translation,
        rotation,
        occlusion,
        need_avx2,
        opencv,
        end_point_error,
        texture,
        quantise,
        write_video,
        grid,
        as_uint8,
    )
    return SimpleNamespace(**{function.__name__: function for function in names})
