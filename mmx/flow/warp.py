"""Warping of the second frame and its gradient by the flow, with cubic interpolation.

The frame, its two derivatives and a zero lie interleaved, four numbers per pixel, column after
column: four neighbours of a column are one vector, so that the three images are interpolated by
four loads per pixel. Taps are weighed along the rows first, then across them, fused and in order
as OpenCV 5 does it on processors with AVX2, to the bit.
"""

import numpy as np
from numba import njit

from mmx.flow.cache import cached_njit
from mmx.flow.planes import (
    CONSTANT,
    DIVISOR,
    FIELD,
    FLOW,
    INSIDE,
    IX,
    IY,
    LIMIT,
    ONES,
    U2,
    Grid,
    aligned_zeros,
    block_size,
    place,
)
from mmx.flow.simd import (
    LANES,
    Address,
    Vector,
    Vectors,
    floor,
    fused,
    load,
    load_integer,
    load_number,
    load_repeated,
    maximum,
    minimum,
    part_quads,
    select_greater,
    splat,
    store,
    store_integers,
    transpose_quarters,
)

MARGIN = 8
"""Pixels of zeros around the interleaved image: what lies outside the frame is zero."""
_REACH = np.float32(3.0)
"""From here on outwards, all sixteen taps lie outside the frame."""
_A = np.float32(-0.75)
"""The parameter of the cubic kernel (Keys 1981), with OpenCV's value."""
_CUBED, _SQUARED = _A + np.float32(2.0), -_A - np.float32(3.0)
"""Factors of t^3 and t^2 in the weight of a tap at a distance t below 1."""
WX, WY, WHOLE, PLAN_TILE = 0, 4 * LANES, 8 * LANES, 10 * LANES
"""A tile of a row's plan: the taps' weights, then the whole parts of x and of y."""
_EPSILON = np.finfo(np.float32).eps
"""A squared gradient not above it counts as zero."""
_INFINITY = np.float32(np.inf)
_ONE = np.float32(1.0)
_HALF = np.float32(0.5)


def plan_array(grid: Grid) -> np.ndarray:
    """Return space for the plan of a row; behind it stand the numbers of the lanes."""
    plan = aligned_zeros(grid.tiles * PLAN_TILE + LANES)
    plan[-LANES:] = np.arange(LANES)
    return plan


@cached_njit
def interleave(image: np.ndarray, target: np.ndarray, grid: Grid) -> None:
    """Write an image and its centred gradient inside the margin of zeros that `target` has."""
    span = (grid.rows + 2 * MARGIN) * 4
    for i in range(grid.rows):
        above, below = max(i - 1, 0), min(i + 1, grid.rows - 1)
        for j in range(grid.width):
            left, right = max(j - 1, 0), min(j + 1, grid.width - 1)
            at = (j + MARGIN) * span + (i + MARGIN) * 4
            target[at] = image[i, j]
            target[at + 1] = _HALF * (image[i, right] - image[i, left])
            target[at + 2] = _HALF * (image[below, j] - image[above, j])


@njit(forceinline=True)
def _cubic(t: Vector) -> Vectors:
    """The weights of the four taps around a place, t beyond the second."""
    a, one = splat(_A), splat(_ONE)
    square, rest = t * t, one - t
    w0 = a * (t * (rest * rest))
    w1 = fused(fused(splat(_CUBED), t, splat(_SQUARED)), square, one)
    w3 = a * (square * rest)
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
        at = place(grid, FLOW, row + 1, tile * LANES)
        x = splat(np.float32(tile * LANES)) + lanes + load(flow, at)
        y = splat(np.float32(row)) + load(flow, at + U2 * block_size(grid))
        here = tile * PLAN_TILE
        tx = _place(x, grid.width - 1, plan, here + WHOLE)
        ty = _place(y, grid.rows - 1, plan, here + WHOLE + LANES)
        _store_four(plan, here + WX, _cubic(tx))
        _store_four(plan, here + WY, _cubic(ty))


@njit(forceinline=True)
def _tap(image: Address, span: int, plan: Address, here: int) -> Vector:
    """The weighted taps of one place along its rows: four numbers for each of four rows."""
    x, y = load_integer(plan, here + WHOLE), load_integer(plan, here + WHOLE + LANES)
    at = (MARGIN - 1 + x) * span + (MARGIN - 1 + y) * 4
    wx = here + WX
    rows = load(image, at) * splat(load_number(plan, wx))
    rows = fused(load(image, at + span), splat(load_number(plan, wx + LANES)), rows)
    rows = fused(load(image, at + 2 * span), splat(load_number(plan, wx + 2 * LANES)), rows)
    return fused(load(image, at + 3 * span), splat(load_number(plan, wx + 3 * LANES)), rows)


@njit(forceinline=True)
def _four_taps(image: Address, span: int, plan: Address, here: int, lane: int) -> Vector:
    """I1, I1x, I1y and zero at four places."""
    r0, r1, r2, r3 = transpose_quarters(
        _tap(image, span, plan, here + lane),
        _tap(image, span, plan, here + lane + 1),
        _tap(image, span, plan, here + lane + 2),
        _tap(image, span, plan, here + lane + 3),
    )
    wy = here + WY + lane
    result = r0 * load_repeated(plan, wy)
    result = fused(r1, load_repeated(plan, wy + LANES), result)
    result = fused(r2, load_repeated(plan, wy + 2 * LANES), result)
    return fused(r3, load_repeated(plan, wy + 3 * LANES), result)


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
    block: int,
    warped: Vector,
    ix: Vector,
    iy: Vector,
    u1: Vector,
    u2: Vector,
    i0: Vector,
    bound: np.float32,
) -> None:
    """The gradient; its squared length times `bound`, and to divide by (infinite for no gradient);
    rho_c."""
    square = ix * ix + iy * iy
    divisor = select_greater(square, splat(_EPSILON), square, splat(_INFINITY))
    store(field, here + IX * block, ix)
    store(field, here + IY * block, iy)
    store(field, here + LIMIT * block, splat(bound) * square)
    store(field, here + DIVISOR * block, divisor)
    store(field, here + CONSTANT * block, warped - ix * u1 - iy * u2 - i0)


@njit
def linearise(
    frame: Address,
    image: Address,
    flow: Address,
    field: Address,
    grid: Grid,
    masks: Address,
    plan: Address,
    bound: np.float32,
) -> None:
    """Warp I1 and its gradient by the flow, and write the field of one warp.

    Addresses: `frame`, I0; `image`, what `interleave` made of I1; `flow`; `field`;
    `masks`, of what `edge_masks` makes; `plan`, work space that `plan_array` makes. `bound` is
    lambda theta.
    """
    span = (grid.rows + 2 * MARGIN) * 4
    for row in range(grid.rows):
        _plan_row(flow, row, grid, plan)
        for tile in range(grid.tiles):
            warped, ix, iy = _sample(image, span, plan, tile * PLAN_TILE)
            inside = load(masks, INSIDE if tile == grid.tiles - 1 else ONES)
            x = tile * LANES
            at, here = place(grid, FLOW, row + 1, x), place(grid, FIELD, row, x)
            u1, u2 = load(flow, at), load(flow, at + U2 * block_size(grid))
            i0, ix, iy = load(frame, row * grid.span + x), ix * inside, iy * inside
            _write_field(field, here, block_size(grid), warped, ix, iy, u1, u2, i0, bound)
