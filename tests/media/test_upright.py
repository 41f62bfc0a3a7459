from collections.abc import Sequence
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mmx.media.upright import Upright, upright_of


class Data:
    """The side data of a frame, as far as it is looked at."""

    def __init__(self, kind: Any, matrix: Sequence[float]) -> None:
        self.type, self._bytes = kind, np.array(matrix, np.int32).tobytes()

    def __bytes__(self) -> bytes:
        return self._bytes


def turned(*matrix: float) -> Any:
    """A frame of that display matrix, as far as it is looked at."""
    from av.sidedata.sidedata import Type

    a, b, c, d = (round(value * 65536) for value in matrix)
    data = Data(Type.DISPLAYMATRIX, [a, b, 0, c, d, 0, 0, 0, 1 << 30])
    return SimpleNamespace(side_data=[data])


def moved(matrix: tuple[int, int, int, int], height: int = 2, width: int = 3) -> Any:
    """Move every pixel (p, q) to (a p + c q, b p + d q), then shift into view."""
    a, b, c, d = matrix
    at = {
        (a * p + c * q, b * p + d * q): q * width + p
        for q, p in product(range(height), range(width))
    }
    left, top = min(x for x, _ in at), min(y for _, y in at)
    columns, rows = max(x for x, _ in at) - left + 1, max(y for _, y in at) - top + 1
    return np.array([[at[left + x, top + y] for x in range(columns)] for y in range(rows)])


RIGHT_ANGLES = [(a, 0, 0, d) for a, d in product((1, -1), repeat=2)] + [
    (0, b, c, 0) for b, c in product((1, -1), repeat=2)
]


@pytest.mark.parametrize("matrix", RIGHT_ANGLES)
def test_moves_every_pixel_where_the_matrix_says(matrix: tuple[int, int, int, int]) -> None:
    image = np.arange(6).reshape(2, 3)
    upright = upright_of(turned(*matrix))
    assert np.array_equal(upright.apply(image), moved(matrix))
    assert upright.size(3, 2) == moved(matrix).shape[::-1]


@pytest.mark.parametrize(
    "degrees, expected", [(0, 0), (90, 90), (180, 180), (270, 270), (80, 90), (-10, 0), (190, 180)]
)
def test_rotation_to_the_nearest_right_angle(degrees: int, expected: int) -> None:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    assert upright_of(turned(cos, sin, -sin, cos)).rotation == expected


def test_colours_move_with_their_pixels() -> None:
    image = np.arange(18).reshape(2, 3, 3)
    turned = Upright(transpose=True, mirror=True, flip=False).apply(image)
    assert turned.flags.c_contiguous
    assert np.array_equal(turned, np.stack([np.rot90(image[..., i], -1) for i in range(3)], -1))


def test_what_is_upright_is_not_copied() -> None:
    image = np.zeros((2, 3, 3), np.uint8)
    assert Upright(transpose=False, mirror=False, flip=False).apply(image) is image
