"""The iteration of Dual TV-L1 on one scale: thresholding step, flow, dual variables, in one pass.

Row i of u needs the old dual variables of rows i - 1 and i; row i - 1 of p follows as soon as row i
of u is there. So one iteration passes once over memory, in place, and the next may follow close
behind, in what the cache still holds: as soon as it is certain that there is a next one: when
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
    PARTS,
    Address,
    Vector,
    Vectors,
    absolute,
    after,
    before,
    differ,
    exact_length,
    first_lane_of,
    load_integer,
    load_number,
    load_part,
    quotient,
    select_greater,
    splat_part,
    store,
    store_integer,
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
    LIMIT,
    SHADE_TILE,
    U2,
    Grid,
    edge_mask,
    part_at,
)

CHASE = 16
"""Most iterations in progress at once: their rows should fit into the cache."""
Carry = tuple[Vectors, Vector, Vectors, Vectors, int]
"""What a step along a row leaves to the next: px of its part, the row's squared changes, u of the
part above, new u, and how many parts of the row above are pending."""
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)


class Case(NamedTuple):
    """What the iterations of a warp have in common."""

    grid: Grid
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
    """Squared changes of every pixel in the last iteration, part by part."""
    pending: Address
    """Numbers of the parts of a row whose dual variables need lengths computed in float64."""


@njit(forceinline=True)
def _residual(field: Address, here: int, u1: Vector, u2: Vector) -> Vector:
    """rho without the illumination term."""
    slope = load_part(field, here + IX) * u1 + load_part(field, here + IY) * u2
    return load_part(field, here + CONSTANT) + slope


@njit(forceinline=True)
def _threshold(field: Address, here: int, rho: Vector, bound: Vector) -> Vector:
    """The thresholding step's scalar: v = u - scalar * (I1wx, I1wy, gamma)."""
    scalar = quotient(rho, load_part(field, here + DIVISOR))
    limit = load_part(field, here + LIMIT)
    return select_greater(absolute(rho), limit, with_sign(bound, rho), scalar)


@njit(forceinline=True)
def _primal(
    dual: Address, at: int, above: int, left: Vector, v: Vector, theta: Vector, edge: bool
) -> tuple[Vector, Vector]:
    """u = v + theta div p of a part; also px, the left neighbour of the next part's.

    OpenCV adds the three parts of the divergence in another order in the first column, the first
    of the part at the left `edge`.
    """
    px, py = load_part(dual, at + LANES), load_part(dual, at + 2 * LANES)
    py_above = load_part(dual, above + 2 * LANES)
    divergence = (px - before(left, px)) + (py - py_above)
    if edge:
        divergence = first_lane_of((px + py) - py_above, divergence)
    return v + theta * divergence, px


@njit(forceinline=True)
def _slope(u: Vector, right: Vector, below: Vector, inner: Vector | None) -> Vectors:
    """Forward differences of a part."""
    x = after(u, right) - u
    if inner is not None:
        x = x * inner
    return x, below - u


@njit(forceinline=True)
def _dual(dual: Address, at: int, slope: Vectors, length: Vector, ratio: Vector) -> None:
    """p = (p + tau/theta grad u) / (1 + tau/theta |grad u|) of a part."""
    scale = splat_part(_ONE) + ratio * length
    px = load_part(dual, at + LANES) + ratio * slope[0]
    py = load_part(dual, at + 2 * LANES) + ratio * slope[1]
    store(dual, at + LANES, quotient(px, scale))
    store(dual, at + 2 * LANES, quotient(py, scale))


@njit(forceinline=True)
def _flow_part(
    case: Case,
    shade: Address | None,
    above: int,
    left: Vectors,
    error: Vector,
    inside: Vector | None,
    edge: bool,
) -> tuple[Vectors, Vectors, Vector]:
    """New u1, u2 and u3 of the part below part `above`; `shade` is that of the case."""
    flow, field = case.flow, case.field
    over, here = part_at(above, FLOW_TILE), part_at(above, FIELD_TILE)
    at = over + case.grid.tiles * FLOW_TILE
    left1, left2, left3 = left
    u1, u2 = load_part(flow, at), load_part(flow, at + U2)
    rho = _residual(field, here, u1, u2)
    if shade is None:
        scalar, new3 = _threshold(field, here, rho, case.bound), left3
    else:
        over3 = part_at(above, SHADE_TILE)
        at3 = over3 + case.grid.tiles * SHADE_TILE
        u3 = load_part(shade, at3)
        scalar = _threshold(field, here, rho + case.gamma * u3, case.bound)
        v3 = u3 - scalar * case.gamma
        new3, left3 = _primal(shade, at3, over3, left3, v3, case.theta, edge)
        store(shade, at3, new3)
    v1, v2 = u1 - scalar * load_part(field, here + IX), u2 - scalar * load_part(field, here + IY)
    new1, left1 = _primal(flow, at, over, left1, v1, case.theta, edge)
    new2, left2 = _primal(flow, at + U2, over + U2, left2, v2, case.theta, edge)
    store(flow, at, new1)
    store(flow, at + U2, new2)
    change = (new1 - u1) * (new1 - u1) + (new2 - u2) * (new2 - u2)
    if shade is not None:
        change = change + (new3 - u3) * (new3 - u3)
    if inside is not None:
        change = change * inside
    store(case.changes, part_at(above, LANES), change)
    return (new1, new2, new3), (left1, left2, left3), error + change


@njit(forceinline=True)
def _dual_part(
    case: Case,
    shade: Address | None,
    part: int,
    u: Vectors,
    right: Vectors,
    below: Vectors,
    inner: Vector | None,
    pending: int,
) -> int:
    """New dual variables of a part, given u of it, of the part to its right and of that below.

    If float32 leaves a length undecided, those of u1 and u2 stay, and the part becomes one more of
    those that are `pending`, the number of which is returned.
    """
    slope1 = _slope(u[0], right[0], below[0], inner)
    slope2 = _slope(u[1], right[1], below[1], inner)
    if shade is not None:
        slope3 = _slope(u[2], right[2], below[2], inner)
        at3 = part_at(part, SHADE_TILE)
        _dual(shade, at3, slope3, exact_length(slope3[0], slope3[1]), case.ratio)
    length1, other1 = length_bounds(slope1[0], slope1[1])
    length2, other2 = length_bounds(slope2[0], slope2[1])
    if differ(length1, other1, length2, other2):
        store_integer(case.pending, pending, part)
        return pending + 1
    at = part_at(part, FLOW_TILE)
    _dual(case.flow, at, slope1, length1, case.ratio)
    _dual(case.flow, at + U2, slope2, length2, case.ratio)
    return pending


@njit
def _decide(case: Case, count: int, last: int, below: int) -> None:
    """New dual variables of `count` pending parts of a row, whose last part is `last`.

    below: how far from a part that below it is.
    """
    for k in range(count):
        part = load_integer(case.pending, k)
        inner = splat_part(_ONE)
        if part == last:
            inner = edge_mask(case.masks, INNER, case.grid.parts)
        for channel in range(2):
            at = part_at(part, FLOW_TILE) + channel * U2
            right = load_part(case.flow, part_at(part + 1, FLOW_TILE) + channel * U2)
            under = load_part(case.flow, at + below)
            slope = _slope(load_part(case.flow, at), right, under, inner)
            _dual(case.flow, at, slope, exact_length(slope[0], slope[1]), case.ratio)


@njit(forceinline=True)
def _load_flow(case: Case, shade: Address | None, part: int) -> Vectors:
    """u1, u2, u3 of a part; `shade` is that of the case."""
    at = part_at(part, FLOW_TILE)
    u1, u2 = load_part(case.flow, at), load_part(case.flow, at + U2)
    if shade is None:
        return u1, u2, splat_part(_ZERO)
    return u1, u2, load_part(shade, part_at(part, SHADE_TILE))


@njit(forceinline=True)
def _step(case: Case, above: int, carry: Carry, inside: Vector | None) -> Carry:
    """Flow of the part below part `above`, dual variables of the one left of that."""
    left, error, u, new, pending = carry
    right = _load_flow(case, case.shade, above)
    newer, left, error = _flow_part(case, case.shade, above, left, error, inside, False)
    pending = _dual_part(case, case.shade, above - 1, u, right, new, None, pending)
    return left, error, right, newer, pending


@njit(forceinline=True)
def _row(case: Case, row: int) -> np.float32:
    """Flow of a row and dual variables of the row above it; returns its squared changes.

    The dual variables come one part behind the flow, so that neither waits for the other.
    """
    zero, first = splat_part(_ZERO), row * case.grid.tiles * PARTS
    last = first + case.grid.parts - 1
    inside = edge_mask(case.masks, INSIDE, case.grid.parts)
    u = _load_flow(case, case.shade, first)
    alone = inside if first == last else splat_part(_ONE)
    new, left, error = _flow_part(case, case.shade, first, (zero, zero, zero), zero, alone, True)
    carry = left, error, u, new, 0
    for part in range(first + 1, last):
        carry = _step(case, part, carry, None)
    if first < last:
        carry = _step(case, last, carry, inside)
    _, error, u, new, pending = carry
    inner = edge_mask(case.masks, INNER, case.grid.parts)
    pending = _dual_part(case, case.shade, last, u, u, new, inner, pending)
    if pending > 0:
        _decide(case, pending, last, case.grid.tiles * FLOW_TILE)
    changes: np.float32 = total(error)
    return changes


@njit
def _first_row(case: Case) -> np.float32:
    """Flow of row 0; returns its squared changes."""
    zero = splat_part(_ZERO)
    left, error = (zero, zero, zero), zero
    for part in range(case.grid.parts):
        inside = splat_part(_ONE)
        if part == case.grid.parts - 1:
            inside = edge_mask(case.masks, INSIDE, case.grid.parts)
        _, left, error = _flow_part(case, case.shade, part, left, error, inside, False)
    changes: np.float32 = total(error)
    return changes


@njit
def _last_row(case: Case) -> None:
    """Dual variables of the last row: nothing lies below it."""
    first, pending = case.grid.rows * case.grid.tiles * PARTS, 0
    for part in range(first, first + case.grid.parts):
        u, right = _load_flow(case, case.shade, part), _load_flow(case, case.shade, part + 1)
        inner = splat_part(_ONE)
        if part == first + case.grid.parts - 1:
            inner = edge_mask(case.masks, INNER, case.grid.parts)
        pending = _dual_part(case, case.shade, part, u, right, u, inner, pending)
    _decide(case, pending, first + case.grid.parts - 1, 0)


@njit(forceinline=True)
def _advance(case: Case, row: int) -> np.float32:
    """What an iteration does when it comes to a row; the one below the last ends it."""
    if row == 0:
        return _first_row(case)
    if row < case.grid.rows:
        return _row(case, row)
    _last_row(case)
    return _ZERO


@njit
def _exceeds(case: Case, stop: Stop, error: float) -> bool:
    """Whether the last iteration's squared changes, `error` in all, are above the stop.

    OpenCV adds one pixel after the other to a float32; where that could change the result, so does
    this.
    """
    if not stop.below < error <= stop.above:
        return error > stop.above
    added = _ZERO
    for at in range(case.grid.rows * case.grid.tiles * LANES):
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
        if rows[n - 1] > case.grid.rows:
            begin = moving = _exceeds(case, stop, errors[n - 1])
        if n < most and n - first < CHASE and begin:
            errors[n], rows[n] = 0.0, 0
            n += 1
        if rows[first] > case.grid.rows:
            first += 1
    return n, moving
