"""How the compiled solver lays images out: tiles of 16 pixels of a row, plane after plane.

A tile holds its planes one after the other, so that a pass over an image reads memory as one
stream. The flow's tile holds u, px, py of u1, then of u2; the field's tile holds I1wx, I1wy,
lambda theta |grad|^2, |grad|^2 to divide by and rho_c; the shade's tile (the illumination term) holds u, px, py
of u3. Flow and shade have a row of zeros above the image, whose dual variables are those outside
it, and one below. Pixels of the last tile that lie beyond the image are zero in the planes of flow,
shade and gradient, and stay it.
"""

from typing import NamedTuple

import numpy as np

from numba import njit

from mmx.flow.simd import LANES, PART, PARTS, Address, Vector, load_part

FLOW_TILE = 6 * LANES
FIELD_TILE = 5 * LANES
IX, IY, LIMIT, DIVISOR, CONSTANT = (plane * LANES for plane in range(5))
U2 = 3 * LANES
SHADE_TILE = 3 * LANES
_SHIFT = PARTS.bit_length() - 1


ONES, INSIDE, INNER = 0, LANES, 2 * LANES
"""Offsets of the three masks that `edge_masks` returns."""


class Grid(NamedTuple):
    """The size of an image."""

    rows: int
    width: int
    """Pixels."""
    tiles: int
    """Tiles per row."""
    parts: int
    """Parts of tiles per row, of PART pixels each, in which the image is."""


def make_grid(rows: int, width: int) -> Grid:
    """Return the grid of an image."""
    return Grid(rows, width, -(-width // LANES), -(-width // PART))


@njit(forceinline=True)
def part_at(number: int, size: int) -> int:
    """Return where the first plane of a part is, in tiles of `size` numbers."""
    return (number >> _SHIFT) * size + (number & (PARTS - 1)) * PART


@njit(forceinline=True)
def edge_mask(masks: Address, kind: int, parts: int) -> Vector:
    """Return the part for the last of a row of one of the masks that `edge_masks` makes."""
    return load_part(masks, kind + ((parts - 1) & (PARTS - 1)) * PART)


def edge_masks(grid: Grid) -> np.ndarray:
    """Return three masks of 16 lanes: all ones; and for the last tile of a row, ones where a column
    is in the image, and where its right neighbour is."""
    columns = np.arange(LANES) + (grid.tiles - 1) * LANES
    masks = [columns >= 0, columns < grid.width, columns < grid.width - 1]
    return np.concatenate(masks).astype(np.float32)


def aligned_zeros(size: int) -> np.ndarray:
    """Return float32 zeros that begin at a multiple of 64 bytes, so that no vector is split."""
    zeros = np.zeros(size + LANES, np.float32)
    first = -zeros.ctypes.data // zeros.itemsize % LANES
    return zeros[first : first + size]


def dual_array(grid: Grid, channels: int) -> np.ndarray:
    """Return zeros for the u, px, py of some channels, with the rows above and below the image."""
    return aligned_zeros((grid.rows + 2) * grid.tiles * 3 * channels * LANES)


def tile_image(image: np.ndarray, tiled: np.ndarray, grid: Grid) -> None:
    """Write an image (rows, width) into `tiled`, one plane per tile; what lies beyond it stays."""
    tiled.reshape(grid.rows, -1)[:, : grid.width] = image


def begin_dual(values: np.ndarray, tiled: np.ndarray, grid: Grid) -> None:
    """Write u of each channel (C, rows, width), and dual variables of zero."""
    tiled[:] = 0.0
    for target, source in zip(_split_u(tiled, grid), _split(values, grid), strict=True):
        target[:] = source


def read_dual(tiled: np.ndarray, values: np.ndarray, grid: Grid) -> None:
    """Copy u of each channel to `values` (C, rows, width), which is contiguous."""
    for target, source in zip(_split(values, grid), _split_u(tiled, grid), strict=True):
        target[:] = source


def _split(values: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Return views of images (C, rows, width): their whole tiles, and what the last one holds."""
    tiles = grid.width // LANES
    whole = values[..., : tiles * LANES].reshape(*values.shape[:2], tiles, LANES)
    return whole, values[..., tiles * LANES :]


def _split_u(tiled: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Return views of the same shapes of u in an array that `dual_array` made."""
    u = tiled.reshape(grid.rows + 2, grid.tiles, -1, 3, LANES)[1:-1, :, :, 0]
    u = np.moveaxis(u, 2, 0)
    return u[:, :, : grid.width // LANES], u[:, :, -1, : grid.width % LANES]
