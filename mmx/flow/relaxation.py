"""The iteration of Dual TV-L1 on one scale: thresholding step, flow, dual variables, in one pass.

Row i of u needs the old dual variables of rows i - 1 and i; row i - 1 of p follows as soon as row i
of u is there. So one iteration passes once over memory, in place, and the next may follow close
behind, in what the cache still holds: as soon as it is certain that there is a next one. It is when
the squared changes of the rows so far exceed the bound below which iterations stop, since what the
other rows add is not negative. `mmx.flow.tiles` says how the images are laid out.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from mmx.flow.simd import (
    LANES,
    Address,
    Vector,
    Vectors,
    after,
    before,
    load,
    maximum,
    minimum,
    quotient,
    splat,
    square_root,
    store,
    total,
)
from mmx.flow.tiles import FIELD_TILE, FLOW_TILE, INNER, INSIDE, ONES, U2

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


@njit(forceinline=True)
def _residual(field: Address, here: int, u1: Vector, u2: Vector) -> Vector:
    """rho without the illumination term."""
    constant = load(field, here + 3 * LANES)
    return constant + load(field, here) * u1 + load(field, here + LANES) * u2


@njit(forceinline=True)
def _threshold(field: Address, here: int, rho: Vector, bound: Vector) -> Vector:
    """The thresholding step's scalar: v = u - scalar * (I1wx, I1wy, gamma)."""
    scalar = rho * load(field, here + 2 * LANES)
    return maximum(minimum(scalar, bound), splat(_ZERO) - bound)


@njit(forceinline=True)
def _primal(
    dual: Address, at: int, above: int, left: Vector, v: Vector, theta: Vector
) -> tuple[Vector, Vector]:
    """u = v + theta div p of a tile; also px, the left neighbour of the next tile's."""
    px = load(dual, at + LANES)
    rise = load(dual, at + 2 * LANES) - load(dual, above + 2 * LANES)
    return v + theta * ((px - before(left, px)) + rise), px


@njit(forceinline=True)
def _dual(
    dual: Address, at: int, u: Vector, right: Vector, below: Vector, inner: Vector, ratio: Vector
) -> None:
    """p = (p + tau/theta grad u) / (1 + tau/theta |grad u|) of a tile."""
    ux = (after(u, right) - u) * inner
    uy = below - u
    length = square_root(ux * ux + uy * uy)
    scale = quotient(splat(_ONE), splat(_ONE) + ratio * length)
    store(dual, at + LANES, (load(dual, at + LANES) + ratio * ux) * scale)
    store(dual, at + 2 * LANES, (load(dual, at + 2 * LANES) + ratio * uy) * scale)


@njit(forceinline=True)
def _flow_tile(
    case: Case, shade: Address | None, above: int, left: Vectors, error: Vector, inside: Vector
) -> tuple[Vectors, Vectors, Vector]:
    """New u1, u2 and u3 of the tile below that at `above`; `shade` is that of the case."""
    flow, field, at = case.flow, case.field, above + case.tiles * FLOW_TILE
    here = above // FLOW_TILE * FIELD_TILE
    left1, left2, left3 = left
    u1, u2 = load(flow, at), load(flow, at + U2)
    rho = _residual(field, here, u1, u2)
    if shade is None:
        scalar, new3 = _threshold(field, here, rho, case.bound), left3
    else:
        u3 = load(shade, at // 2)
        scalar = _threshold(field, here, rho + case.gamma * u3, case.bound)
        v3 = u3 - scalar * case.gamma
        new3, left3 = _primal(shade, at // 2, above // 2, left3, v3, case.theta)
        store(shade, at // 2, new3)
        error = error + (new3 - u3) * inside * (new3 - u3)
    v1, v2 = u1 - scalar * load(field, here), u2 - scalar * load(field, here + LANES)
    new1, left1 = _primal(flow, at, above, left1, v1, case.theta)
    new2, left2 = _primal(flow, at + U2, above + U2, left2, v2, case.theta)
    store(flow, at, new1)
    store(flow, at + U2, new2)
    error = error + (new1 - u1) * inside * (new1 - u1)
    error = error + (new2 - u2) * inside * (new2 - u2)
    return (new1, new2, new3), (left1, left2, left3), error


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
    _dual(case.flow, at, u[0], right[0], below[0], inner, case.ratio)
    _dual(case.flow, at + U2, u[1], right[1], below[1], inner, case.ratio)
    if shade is not None:
        _dual(shade, at // 2, u[2], right[2], below[2], inner, case.ratio)


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
    newer, left, error = _flow_tile(case, case.shade, above, left, error, inside)
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
        case, case.shade, first * FLOW_TILE, (zero, zero, zero), zero, inside
    )
    carry = left, error, u, new
    for tile in range(first + 1, last):
        carry = _step(case, tile * FLOW_TILE, carry, splat(_ONE))
    if case.tiles > 1:
        carry = _step(case, last * FLOW_TILE, carry, load(case.masks, INSIDE))
    _, error, u, new = carry
    _dual_tile(case, case.shade, last * FLOW_TILE, u, u, new, load(case.masks, INNER))
    return total(error)


@njit
def _first_row(case: Case) -> np.float32:
    """Flow of row 0; returns its squared changes."""
    zero = splat(_ZERO)
    left, error = (zero, zero, zero), zero
    for tile in range(case.tiles):
        inside = load(case.masks, INSIDE if tile == case.tiles - 1 else ONES)
        _, left, error = _flow_tile(case, case.shade, tile * FLOW_TILE, left, error, inside)
    return total(error)


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
def relax(case: Case, most: int, stop: float, errors: np.ndarray, rows: np.ndarray) -> int:
    """Run iterations until the sum of squared changes of u is not above `stop`, `most` at most.

    Returns their number n; `errors` (float64) and `rows` (int64) are work space for `most` of
    them, and the sums are left in `errors[:n]`. Every iteration advances by one row at a time.
    """
    errors[0], rows[0] = 0.0, 0
    first, n = 0, 1
    while first < n:
        for k in range(first, n):
            errors[k] += _advance(case, rows[k])
            rows[k] += 1
        if n < most and n - first < CHASE and errors[n - 1] > stop:
            errors[n], rows[n] = 0.0, 0
            n += 1
        if rows[first] > case.rows:
            first += 1
    return n
