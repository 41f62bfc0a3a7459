"""How the compiled solver lays images out: block by block, and in a block plane after plane.

So a pass over an image reads memory as one stream. A block of the flow holds u, px, py of u1, then
of u2; a block of the field holds I1wx, I1wy, lambda theta |grad|^2, |grad|^2 to divide by, and
rho_c; a block of the shade (the illumination term) holds u, px, py of u3. A block is a row, so that
a pixel's neighbours in its row are its neighbours in memory; or, if a register is as long as a
cache line, the LANES pixels of one register, as no vector should be loaded from two lines.

Flow and shade have a row of zeros above the image, whose dual variables are those outside it, and
one below. Rows are longer than the image is wide; what lies beyond it is zero in the planes of
flow, shade and gradient, and stays it.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from mmx.flow.simd import LANES, PART, Address, Vector, after, before, load_part

FLOW, FIELD, SHADE = 6, 5, 3
"""Planes of a block. The dual variables of u2 and u3 are as far from it as those of u1."""
PX, PY, U2 = 1, 2, 3
IX, IY, LIMIT, DIVISOR, CONSTANT = range(FIELD)
ONES, INSIDE, INNER = 0, LANES, 2 * LANES
"""Offsets of the three masks that `edge_masks` returns."""
_TILED = PART == LANES
"""Whether a block is LANES pixels, not a row."""
_CONFLICT = 256
"""Planes of a multiple of it would fall into few of the cache's sets."""


class Grid(NamedTuple):
    """The size of an image."""

    rows: int
    width: int
    """Pixels."""
    span: int
    """Numbers in a plane of all blocks of a row, a multiple of LANES."""
    tiles: int
    """Vectors of LANES in which a row of the image is."""
    parts: int
    """Vectors of PART in which a row of the image is."""


def make_grid(rows: int, width: int) -> Grid:
    """Return the grid of an image."""
    tiles = -(-width // LANES)
    span = tiles * LANES
    if not _TILED and span % _CONFLICT == 0:
        span += LANES
    return Grid(rows, width, span, tiles, -(-width // PART))


@njit(forceinline=True)
def block_size(grid: Grid) -> int:
    """Return the numbers in a plane of a block."""
    return LANES if _TILED else grid.span


@njit(forceinline=True)
def place(grid: Grid, planes: int, row: int, x: int) -> int:
    """Return where the first of so many planes has a part of a row; the others follow by blocks."""
    if _TILED:
        return (row * grid.span + x) * planes
    return row * planes * grid.span + x


def edge_masks(grid: Grid) -> np.ndarray:
    """Return three masks of LANES: all ones; and for the last tile of a row, ones where a column is
    in the image, and where its right neighbour is."""
    columns = np.arange(LANES) + (grid.tiles - 1) * LANES
    masks = [columns >= 0, columns < grid.width, columns < grid.width - 1]
    return np.concatenate(masks).astype(np.float32)


@njit(forceinline=True)
def edge_mask(masks: Address, kind: int, parts: int) -> Vector:
    """Return what one of the masks that `edge_masks` makes says of the last part of a row."""
    return load_part(masks, kind + (parts - 1) * PART % LANES)


@njit(forceinline=True)
def left_of(plane: Address, at: int, part: Vector, before_it: Vector) -> Vector:
    """Return the left neighbours of a part's pixels, given the part and the one before it.

    In the first column of rows that are blocks, they are any numbers.
    """
    return before(before_it, part) if _TILED else load_part(plane, at - 1)


@njit(forceinline=True)
def right_of(plane: Address, at: int, part: Vector, after_it: Vector) -> Vector:
    """Return the right neighbours of a part's pixels, given the part and the one after it."""
    return after(part, after_it) if _TILED else load_part(plane, at + 1)


@njit(forceinline=True)
def held(plane: Address, at: int, part: Vector) -> Vector:
    """Return a part that is `part`: from memory if registers are few."""
    return part if _TILED else load_part(plane, at)


def aligned_zeros(size: int) -> np.ndarray:
    """Return float32 zeros that begin at a multiple of 64 bytes, so that no vector is split."""
    zeros = np.zeros(size + LANES, np.float32)
    first = -zeros.ctypes.data // zeros.itemsize % LANES
    return zeros[first : first + size]


def dual_array(grid: Grid, channels: int) -> np.ndarray:
    """Return zeros for the u, px, py of some channels, with the rows above and below the image."""
    return aligned_zeros((grid.rows + 2) * 3 * channels * grid.span)


def write_image(image: np.ndarray, plane: np.ndarray, grid: Grid) -> None:
    """Write an image (rows, width) into rows of one plane; what lies beyond it stays."""
    plane.reshape(grid.rows, grid.span)[:, : grid.width] = image


def begin_dual(values: np.ndarray, dual: np.ndarray, grid: Grid) -> None:
    """Write u of each channel (C, rows, width), and dual variables of zero."""
    dual[:] = 0.0
    for target, source in zip(_split_u(dual, grid), _split(values, grid), strict=True):
        target[:] = source


def read_dual(dual: np.ndarray, values: np.ndarray, grid: Grid) -> None:
    """Copy u of each channel to `values` (C, rows, width), which is contiguous."""
    for target, source in zip(_split(values, grid), _split_u(dual, grid), strict=True):
        target[:] = source


def _split(values: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Return views of images (C, rows, width): their whole blocks, and what the last one holds."""
    block = block_size.py_func(grid)
    blocks = grid.width // block
    whole = values[..., : blocks * block].reshape(*values.shape[:2], blocks, block)
    return whole, values[..., blocks * block :]


def _split_u(dual: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Return views of the same shapes of u in an array that `dual_array` made."""
    block = block_size.py_func(grid)
    u = dual.reshape(grid.rows + 2, grid.span // block, -1, 3, block)[1:-1, :, :, 0]
    u = np.moveaxis(u, 2, 0)
    return u[:, :, : grid.width // block], u[:, :, -1, : grid.width % block]
