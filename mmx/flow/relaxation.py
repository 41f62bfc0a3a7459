"""The iteration of Dual TV-L1 on one scale: thresholding step, flow, dual variables, in one pass.

Row i of u needs the old dual variables of rows i - 1 and i; row i - 1 of p follows as soon as row i
of u is there. So one iteration passes once over memory, in place, and the next may follow close
behind, in what the cache still holds: as soon as it is certain that there is a next one. It is when
the squared changes of the rows so far exceed the bound below which iterations stop, since what the
other rows add is not negative. `mmx.flow.tiles` says how the images are laid out.

Every operation is one of IEEE 754, in the order of OpenCV's `tvl1flow.cpp`, so that the bits are
those of OpenCV, and the same on every processor.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from mmx.flow.rounding import length_bounds
from mmx.flow.simd import (
    LANES,
    Address,
    Vector,
    Vectors,
    absolute,
    after,
    before,
    differ,
    exact_length,
    first_lane_of,
    load,
    load_number,
    quotient,
    select_greater,
    splat,
    store,
    total,
    with_sign,
)
from mmx.flow.stopping import Stop
from mmx.flow.tiles import (
    CONSTANT,
    DIVISOR,
    FIELD_TILE,
    FLOW_TILE,
    INNER,
    INSIDE,
    IX,
    IY,
    ONES,
    SQUARE,
    U2,
)

CHASE = 16
"""Most iterations that are under way at once: their rows should fit into the cache."""
Carry = tuple[Vectors, Vector, Vectors, Vectors]
"""What a step along a row leaves to the next: px of its tile, the row's squared changes, u of the
tile above, new u."""
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)


class Case(NamedTuple):
    """What the iterations of a warp have in common."""

    rows: int
    tiles: int
    """Per row."""
    masks: Address
    """Of what `edge_masks` makes."""
    field: Address
    flow: Address
    shade: Address | None
    """The illumination term's part of the flow, if there is such a term."""
    bound: Vector
    """lambda theta in every lane."""
    theta: Vector
    ratio: Vector
    """tau / theta."""
    gamma: Vector
    changes: Address
    """Squared changes of every pixel in the last iteration, tile by tile."""


@njit(forceinline=True)
def _residual(field: Address, here: int, u1: Vector, u2: Vector) -> Vector:
    """rho without the illumination term."""
    slope = load(field, here + IX) * u1 + load(field, here + IY) * u2
    return load(field, here + CONSTANT) + slope


@njit(forceinline=True)
def _threshold(field: Address, here: int, rho: Vector, bound: Vector) -> Vector:
    """The thresholding step's scalar: v = u - scalar * (I1wx, I1wy, gamma)."""
    square = load(field, here + SQUARE)
    scalar = quotient(rho, load(field, here + DIVISOR))
    return select_greater(absolute(rho), bound * square, with_sign(bound, rho), scalar)


@njit(forceinline=True)
def _primal(
    dual: Address, at: int, above: int, left: Vector, v: Vector, theta: Vector, edge: bool
) -> tuple[Vector, Vector]:
    """u = v + theta div p of a tile; also px, the left neighbour of the next tile's.

    OpenCV adds the three parts of the divergence in another order in the first column, the first
    of the tile at the left `edge`.
    """
    px, py = load(dual, at + LANES), load(dual, at + 2 * LANES)
    py_above = load(dual, above + 2 * LANES)
    divergence = (px - before(left, px)) + (py - py_above)
    if edge:
        divergence = first_lane_of((px + py) - py_above, divergence)
    return v + theta * divergence, px


@njit(forceinline=True)
def _slope(u: Vector, right: Vector, below: Vector, inner: Vector) -> Vectors:
    """Forward differences of a tile."""
    return (after(u, right) - u) * inner, below - u


@njit(forceinline=True)
def _dual(dual: Address, at: int, ux: Vector, uy: Vector, length: Vector, ratio: Vector) -> None:
    """p = (p + tau/theta grad u) / (1 + tau/theta |grad u|) of a tile."""
    scale = splat(_ONE) + ratio * length
    px, py = load(dual, at + LANES) + ratio * ux, load(dual, at + 2 * LANES) + ratio * uy
    store(dual, at + LANES, quotient(px, scale))
    store(dual, at + 2 * LANES, quotient(py, scale))


@njit(forceinline=True)
def _flow_tile(
    case: Case,
    shade: Address | None,
    above: int,
    left: Vectors,
    error: Vector,
    inside: Vector,
    edge: bool,
) -> tuple[Vectors, Vectors, Vector]:
    """New u1, u2 and u3 of the tile below that at `above`; `shade` is that of the case."""
    flow, field, at = case.flow, case.field, above + case.tiles * FLOW_TILE
    number = above // FLOW_TILE
    here = number * FIELD_TILE
    left1, left2, left3 = left
    u1, u2 = load(flow, at), load(flow, at + U2)
    rho = _residual(field, here, u1, u2)
    if shade is None:
        scalar, new3 = _threshold(field, here, rho, case.bound), left3
    else:
        u3 = load(shade, at // 2)
        scalar = _threshold(field, here, rho + case.gamma * u3, case.bound)
        v3 = u3 - scalar * case.gamma
        new3, left3 = _primal(shade, at // 2, above // 2, left3, v3, case.theta, edge)
        store(shade, at // 2, new3)
    v1, v2 = u1 - scalar * load(field, here + IX), u2 - scalar * load(field, here + IY)
    new1, left1 = _primal(flow, at, above, left1, v1, case.theta, edge)
    new2, left2 = _primal(flow, at + U2, above + U2, left2, v2, case.theta, edge)
    store(flow, at, new1)
    store(flow, at + U2, new2)
    change = (new1 - u1) * (new1 - u1) + (new2 - u2) * (new2 - u2)
    if shade is not None:
        change = change + (new3 - u3) * (new3 - u3)
    change = change * inside
    store(case.changes, number * LANES, change)
    return (new1, new2, new3), (left1, left2, left3), error + change


@njit(forceinline=True)
def _dual_tile(
    case: Case,
    shade: Address | None,
    at: int,
    u: Vectors,
    right: Vectors,
    below: Vectors,
    inner: Vector,
) -> None:
    """New dual variables of a tile, given u of it, of the tile to its right and of that below."""
    x1, y1 = _slope(u[0], right[0], below[0], inner)
    x2, y2 = _slope(u[1], right[1], below[1], inner)
    length1, other1 = length_bounds(x1, y1)
    length2, other2 = length_bounds(x2, y2)
    if differ(length1, other1) or differ(length2, other2):
        length1, length2 = exact_length(x1, y1), exact_length(x2, y2)
    _dual(case.flow, at, x1, y1, length1, case.ratio)
    _dual(case.flow, at + U2, x2, y2, length2, case.ratio)
    if shade is not None:
        x3, y3 = _slope(u[2], right[2], below[2], inner)
        _dual(shade, at // 2, x3, y3, exact_length(x3, y3), case.ratio)


@njit(forceinline=True)
def _load_flow(flow: Address, shade: Address | None, at: int) -> Vectors:
    """u1, u2, u3 of a tile."""
    if shade is None:
        return load(flow, at), load(flow, at + U2), splat(_ZERO)
    return load(flow, at), load(flow, at + U2), load(shade, at // 2)


@njit(forceinline=True)
def _step(case: Case, above: int, carry: Carry, inside: Vector) -> Carry:
    """Flow of the tile below that at `above`, dual variables of the one left of that."""
    left, error, u, new = carry
    right = _load_flow(case.flow, case.shade, above)
    newer, left, error = _flow_tile(case, case.shade, above, left, error, inside, False)
    _dual_tile(case, case.shade, above - FLOW_TILE, u, right, new, splat(_ONE))
    return left, error, right, newer


@njit(forceinline=True)
def _row(case: Case, row: int) -> np.float32:
    """Flow of a row and dual variables of the row above it; returns its squared changes.

    The dual variables come one tile behind the flow, so that neither waits for the other.
    """
    zero, first = splat(_ZERO), row * case.tiles
    last = first + case.tiles - 1
    inside = load(case.masks, INSIDE if case.tiles == 1 else ONES)
    u = _load_flow(case.flow, case.shade, first * FLOW_TILE)
    new, left, error = _flow_tile(
        case, case.shade, first * FLOW_TILE, (zero, zero, zero), zero, inside, True
    )
    carry = left, error, u, new
    for tile in range(first + 1, last):
        carry = _step(case, tile * FLOW_TILE, carry, splat(_ONE))
    if case.tiles > 1:
        carry = _step(case, last * FLOW_TILE, carry, load(case.masks, INSIDE))
    _, error, u, new = carry
    _dual_tile(case, case.shade, last * FLOW_TILE, u, u, new, load(case.masks, INNER))
    changes: np.float32 = total(error)
    return changes


@njit
def _first_row(case: Case) -> np.float32:
    """Flow of row 0; returns its squared changes."""
    zero = splat(_ZERO)
    left, error = (zero, zero, zero), zero
    for tile in range(case.tiles):
        inside = load(case.masks, INSIDE if tile == case.tiles - 1 else ONES)
        _, left, error = _flow_tile(case, case.shade, tile * FLOW_TILE, left, error, inside, False)
    changes: np.float32 = total(error)
    return changes


@njit
def _last_row(case: Case) -> None:
    """Dual variables of the last row: nothing lies below it."""
    for tile in range(case.tiles):
        at = (case.rows * case.tiles + tile) * FLOW_TILE
        u = _load_flow(case.flow, case.shade, at)
        right = _load_flow(case.flow, case.shade, at + FLOW_TILE)
        inner = load(case.masks, INNER if tile == case.tiles - 1 else ONES)
        _dual_tile(case, case.shade, at, u, right, u, inner)


@njit(forceinline=True)
def _advance(case: Case, row: int) -> np.float32:
    """What an iteration does when it comes to a row; the one below the last ends it."""
    if row == 0:
        return _first_row(case)
    if row < case.rows:
        return _row(case, row)
    _last_row(case)
    return _ZERO


@njit
def _exceeds(case: Case, stop: Stop, error: float) -> bool:
    """Whether the last iteration's squared changes, `error` in all, are above the stop.

    OpenCV adds one pixel after the other to a float32; where that could decide, so does this.
    """
    if not stop.below < error <= stop.above:
        return error > stop.above
    added = _ZERO
    for at in range(case.rows * case.tiles * LANES):
        added += load_number(case.changes, at)
    return bool(added > stop.value)


@njit
def relax(
    case: Case, most: int, stop: Stop, errors: np.ndarray, rows: np.ndarray
) -> tuple[int, bool]:
    """Run iterations until the sum of squared changes of u is not above `stop`, `most` at most.

    Returns their number n, and whether the last one's sum is still above; `errors` (float64) and
    `rows` (int64) are work space for `most` of them, and the sums are left in `errors[:n]`. Every
    iteration advances by one row at a time.
    """
    errors[0], rows[0] = 0.0, 0
    first, n, moving = 0, 1, True
    while first < n:
        for k in range(first, n):
            errors[k] += _advance(case, rows[k])
            rows[k] += 1
        begin = errors[n - 1] > stop.above
        if rows[n - 1] > case.rows:
            begin = moving = _exceeds(case, stop, errors[n - 1])
        if n < most and n - first < CHASE and begin:
            errors[n], rows[n] = 0.0, 0
            n += 1
        if rows[first] > case.rows:
            first += 1
    return n, moving
