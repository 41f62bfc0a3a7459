"""Warping of the second frame and its gradient by the flow, with cubic interpolation.

The frame, its two derivatives and a zero lie interleaved, four numbers per pixel: four neighbours
of a row are one vector, so that the three images are interpolated by four loads per pixel.
"""

import numpy as np
from numba import njit

from mmx.flow.simd import (
    LANES,
    Address,
    Vector,
    Vectors,
    add_quarters,
    floor,
    load,
    load_integer,
    load_number,
    load_repeated,
    maximum,
    minimum,
    part_quads,
    quotient,
    splat,
    store,
    store_integers,
    zip_quads,
)
from mmx.flow.tiles import FIELD_TILE, FLOW_TILE, INSIDE, ONES, U2, Grid, aligned_zeros

MARGIN = 8
"""Pixels of zeros around the interleaved image: what lies outside the frame is zero."""
_REACH = np.float32(3.0)
"""From here on outwards, all sixteen taps lie outside the frame."""
_A = np.float32(-0.75)
"""The parameter of the cubic kernel (Keys 1981), with OpenCV's value."""
WX, WY, WHOLE, PLAN_TILE = 0, 4 * LANES, 8 * LANES, 10 * LANES
"""A tile of a row's plan: the taps' weights, then the whole parts of x and of y."""
_TINY = np.float32(1e-20)
_ONE = np.float32(1.0)
_HALF = np.float32(0.5)


def plan_array(grid: Grid) -> np.ndarray:
    """Return space for the plan of a row; behind it stand the numbers of the lanes."""
    plan = aligned_zeros(grid.tiles * PLAN_TILE + LANES)
    plan[-LANES:] = np.arange(LANES)
    return plan


@njit(cache=True)
def interleave(image: np.ndarray, target: np.ndarray, grid: Grid) -> None:
    """Write an image and its centred gradient inside the margin of zeros that `target` has."""
    span = (grid.width + 2 * MARGIN) * 4
    for i in range(grid.rows):
        above, below = max(i - 1, 0), min(i + 1, grid.rows - 1)
        at = (i + MARGIN) * span + MARGIN * 4
        for j in range(grid.width):
            left, right = max(j - 1, 0), min(j + 1, grid.width - 1)
            target[at + 4 * j] = image[i, j]
            target[at + 4 * j + 1] = _HALF * (image[i, right] - image[i, left])
            target[at + 4 * j + 2] = _HALF * (image[below, j] - image[above, j])


@njit(forceinline=True)
def _cubic(t: Vector) -> Vectors:
    """The weights of the four taps around a place, t beyond the second."""
    a, one = splat(_A), splat(_ONE)
    square, rest = t * t, one - t
    w0 = a * t * rest * rest
    w3 = a * square * rest
    w1 = one + square * ((a + one + one) * t - (a + one + one + one))
    return w0, w1, one - w0 - w1 - w3, w3


@njit(forceinline=True)
def _place(position: Vector, last: int, plan: Address, at: int) -> Vector:
    """Clamp positions to what the margin holds; store their whole parts, return the rest."""
    position = minimum(maximum(position, splat(-_REACH)), splat(np.float32(last) + _REACH))
    base = floor(position)
    store_integers(plan, at, base)
    return position - base


@njit(forceinline=True)
def _store_four(base: Address, at: int, vectors: Vectors) -> None:
    """Write four vectors one after the other."""
    store(base, at, vectors[0])
    store(base, at + LANES, vectors[1])
    store(base, at + 2 * LANES, vectors[2])
    store(base, at + 3 * LANES, vectors[3])


@njit(forceinline=True)
def _plan_row(flow: Address, row: int, grid: Grid, plan: Address) -> None:
    """Where to look up each pixel of a row, and with which weights."""
    lanes = load(plan, grid.tiles * PLAN_TILE)
    for tile in range(grid.tiles):
        at = ((row + 1) * grid.tiles + tile) * FLOW_TILE
        x = splat(np.float32(tile * LANES)) + lanes + load(flow, at)
        y = splat(np.float32(row)) + load(flow, at + U2)
        here = tile * PLAN_TILE
        tx = _place(x, grid.width - 1, plan, here + WHOLE)
        ty = _place(y, grid.rows - 1, plan, here + WHOLE + LANES)
        _store_four(plan, here + WX, zip_quads(*_cubic(tx)))
        _store_four(plan, here + WY, _cubic(ty))


@njit(forceinline=True)
def _tap(image: Address, span: int, plan: Address, here: int) -> Vector:
    """The weighted taps of one place: four numbers for each of four columns."""
    x, y = load_integer(plan, here + WHOLE), load_integer(plan, here + WHOLE + LANES)
    at = (MARGIN - 1 + y) * span + (MARGIN - 1 + x) * 4
    wy = here + WY
    rows = load(image, at) * splat(load_number(plan, wy))
    rows = rows + load(image, at + span) * splat(load_number(plan, wy + LANES))
    rows = rows + load(image, at + 2 * span) * splat(load_number(plan, wy + 2 * LANES))
    return rows + load(image, at + 3 * span) * splat(load_number(plan, wy + 3 * LANES))


@njit(forceinline=True)
def _four_taps(image: Address, span: int, plan: Address, here: int, lane: int) -> Vector:
    """I1, I1x, I1y and zero at four places."""
    wx = here + WX + 4 * lane
    return add_quarters(
        _tap(image, span, plan, here + lane) * load_repeated(plan, wx),
        _tap(image, span, plan, here + lane + 1) * load_repeated(plan, wx + 4),
        _tap(image, span, plan, here + lane + 2) * load_repeated(plan, wx + 8),
        _tap(image, span, plan, here + lane + 3) * load_repeated(plan, wx + 12),
    )


@njit(forceinline=True)
def _sample(image: Address, span: int, plan: Address, here: int) -> Vectors:
    """I1, I1x and I1y at the 16 places of a tile."""
    return part_quads(
        _four_taps(image, span, plan, here, 0),
        _four_taps(image, span, plan, here, 4),
        _four_taps(image, span, plan, here, 8),
        _four_taps(image, span, plan, here, 12),
    )


@njit(forceinline=True)
def _write_field(
    field: Address,
    here: int,
    warped: Vector,
    ix: Vector,
    iy: Vector,
    u1: Vector,
    u2: Vector,
    i0: Vector,
) -> None:
    """rho_c, the gradient and its inverse squared length; no gradient gives a step of zero."""
    square = maximum(ix * ix + iy * iy, splat(_TINY))
    store(field, here, ix)
    store(field, here + LANES, iy)
    store(field, here + 2 * LANES, quotient(splat(_ONE), square))
    store(field, here + 3 * LANES, warped - ix * u1 - iy * u2 - i0)


@njit
def linearise(
    frame: Address,
    image: Address,
    flow: Address,
    field: Address,
    grid: Grid,
    masks: Address,
    plan: Address,
) -> None:
    """Warp I1 and its gradient by the flow, and write the field of one warp.

    Addresses: `frame`, I0 in tiles; `image`, what `interleave` made of I1; `flow`; `field`;
    `masks`, of what `edge_masks` makes; `plan`, work space that `plan_array` makes.
    """
    span = (grid.width + 2 * MARGIN) * 4
    for row in range(grid.rows):
        _plan_row(flow, row, grid, plan)
        for tile in range(grid.tiles):
            warped, ix, iy = _sample(image, span, plan, tile * PLAN_TILE)
            inside = load(masks, INSIDE if tile == grid.tiles - 1 else ONES)
            number = row * grid.tiles + tile
            at = (number + grid.tiles) * FLOW_TILE
            u1, u2, i0 = load(flow, at), load(flow, at + U2), load(frame, number * LANES)
            here = number * FIELD_TILE
            _write_field(field, here, warped, ix * inside, iy * inside, u1, u2, i0)
