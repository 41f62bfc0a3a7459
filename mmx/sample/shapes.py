"""The moving things: polygons of unit radius, turned, scaled and filled."""

import cv2
import numpy as np


def _turned(radii: tuple[float, ...], count: int) -> np.ndarray:
    """Corners at `count` equal angles whose radii repeat: float64 count x 2."""
    angles = np.arange(count) * (2 * np.pi / count)
    on_circle = np.column_stack((np.sin(angles), -np.cos(angles)))
    corners: np.ndarray = on_circle * np.resize(radii, count)[:, None]
    return corners


SHAPES: dict[str, np.ndarray] = {
    "disc": _turned((1.0,), 20),
    "block": _turned((1.2,), 4),
    "triangle": _turned((1.3,), 3),
    "star": _turned((1.4, 0.5), 10),
    "leaf": _turned((1.4, 0.75, 0.4, 0.75), 8)[[0, 1, 3, 4, 5, 7]],
    "bar": np.array([(-0.25, -1.5), (0.25, -1.5), (0.25, 1.5), (-0.25, 1.5)]),
    "figure": np.array(
        [(-0.2, -1.2), (0.2, -1.2), (0.2, -0.8), (0.6, -0.6), (0.5, 1.2), (-0.5, 1.2),
         (-0.6, -0.6), (-0.2, -0.8)]
    ),
}  # fmt: skip


def draw(
    image: np.ndarray,
    shape: str,
    centre: tuple[float, float],
    radius: float,
    angle: float,
    colours: np.ndarray,
) -> None:
    """Fill a thing into `image` (uint8 H x W x 3, written to), with a smaller one inside it.

    `centre` and `radius` are pixels, `angle` radians, `colours` uint8 2 x 3: outside and inside.
    """
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    for scale, colour in zip((1.0, 0.5), colours, strict=True):
        corners = SHAPES[shape] @ turn * (radius * scale) + centre
        points = np.rint(corners * 16).astype(np.int32)
        cv2.fillPoly(image, [points], colour.tolist(), cv2.LINE_AA, 4)
