"""The iteration of Dual TV-L1 on one scale: thresholding step, flow, dual variables, in one pass.

Row i of u needs the old dual variables of rows i - 1 and i; row i - 1 of p follows as soon as row i
of u is there. So one iteration passes once over memory, in place, and the next may follow close
behind, in what the cache still holds: as soon as it is certain that there is a next one: when
the squared changes of the rows so far exceed the bound below which iterations stop, since what the
other rows add is not negative. `mmx.flow.planes` says how the images are laid out.

Every operation is one of IEEE 754, in the order of OpenCV's `tvl1flow.cpp`, so that the bits are
those of OpenCV, and the same on every processor.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from mmx.flow.planes import (
    CONSTANT,
    DIVISOR,
    FIELD,
    FLOW,
    INNER,
    INSIDE,
    IX,
    IY,
    LIMIT,
    PX,
    PY,
    SHADE,
    U2,
    Grid,
    block_size,
    edge_mask,
    held,
    left_of,
    place,
    right_of,
)
from mmx.flow.rounding import length_bounds
from mmx.flow.simd import (
    PART,
    Address,
    Vector,
    Vectors,
    absolute,
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

CHASE = 16
"""Most iterations in progress at once: their rows should fit into the cache."""
Carry = tuple[Vector, Vectors, Vectors, Vectors]
"""What a step along a row leaves to the next: the row's squared changes, px of its part, u of the
part above, new u."""
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
    """Squared changes of every pixel in the last iteration, row by row."""
    pending: Address
    """Where in a row the parts begin whose dual variables need lengths computed in float64."""


@njit(forceinline=True)
def _residual(field: Address, here: int, block: int, u1: Vector, u2: Vector) -> Vector:
    """rho without the illumination term."""
    slope = load_part(field, here + IX * block) * u1 + load_part(field, here + IY * block) * u2
    return load_part(field, here + CONSTANT * block) + slope


@njit(forceinline=True)
def _threshold(field: Address, here: int, block: int, rho: Vector, bound: Vector) -> Vector:
    """The thresholding step's scalar: v = u - scalar * (I1wx, I1wy, gamma)."""
    scalar = quotient(rho, load_part(field, here + DIVISOR * block))
    limit = load_part(field, here + LIMIT * block)
    return select_greater(absolute(rho), limit, with_sign(bound, rho), scalar)


@njit(forceinline=True)
def _primal(
    dual: Address,
    at: int,
    above: int,
    block: int,
    left: Vector,
    v: Vector,
    theta: Vector,
    edge: bool,
) -> tuple[Vector, Vector]:
    """u = v + theta div p of a part whose u is at `at`, and that above it at `above`; also its px.

    `left` is px of the part to its left. OpenCV adds the three parts of the divergence in another
    order in the first column, the first of the part at the left `edge`.
    """
    px, py = load_part(dual, at + PX * block), load_part(dual, at + PY * block)
    py_above = load_part(dual, above + PY * block)
    divergence = (px - left_of(dual, at + PX * block, px, left)) + (py - py_above)
    if edge:
        divergence = first_lane_of((px + py) - py_above, divergence)
    return v + theta * divergence, px


@njit(forceinline=True)
def _slope(dual: Address, at: int, below: int, u: Vectors, inner: Vector | None) -> Vectors:
    """Forward differences of the u of a part at `at`, given u of it, the right one, that below."""
    here = held(dual, at, u[0])
    x = right_of(dual, at, here, u[1]) - here
    if inner is not None:
        x = x * inner
    return x, held(dual, below, u[2]) - here


@njit(forceinline=True)
def _dual(
    dual: Address, at: int, block: int, slope: Vectors, length: Vector, ratio: Vector
) -> None:
    """p = (p + tau/theta grad u) / (1 + tau/theta |grad u|) of a part whose u is at `at`."""
    scale = splat_part(_ONE) + ratio * length
    px = load_part(dual, at + PX * block) + ratio * slope[0]
    py = load_part(dual, at + PY * block) + ratio * slope[1]
    store(dual, at + PX * block, quotient(px, scale))
    store(dual, at + PY * block, quotient(py, scale))


@njit(forceinline=True)
def _flow_part(
    case: Case,
    shade: Address | None,
    row: int,
    x: int,
    error: Vector,
    left: Vectors,
    inside: Vector | None,
    edge: bool,
) -> tuple[Vector, Vectors, Vectors]:
    """New u1, u2 and u3 of the part of a row at x; `shade` is that of the case."""
    flow, field, block = case.flow, case.field, block_size(case.grid)
    above, at = place(case.grid, FLOW, row, x), place(case.grid, FLOW, row + 1, x)
    here = place(case.grid, FIELD, row, x)
    left1, left2, left3 = left
    u1, u2 = load_part(flow, at), load_part(flow, at + U2 * block)
    rho = _residual(field, here, block, u1, u2)
    if shade is None:
        scalar, new3 = _threshold(field, here, block, rho, case.bound), left3
    else:
        above3, at3 = place(case.grid, SHADE, row, x), place(case.grid, SHADE, row + 1, x)
        u3 = load_part(shade, at3)
        scalar = _threshold(field, here, block, rho + case.gamma * u3, case.bound)
        v3 = u3 - scalar * case.gamma
        new3, left3 = _primal(shade, at3, above3, block, left3, v3, case.theta, edge)
        store(shade, at3, new3)
    v1 = u1 - scalar * load_part(field, here + IX * block)
    v2 = u2 - scalar * load_part(field, here + IY * block)
    new1, left1 = _primal(flow, at, above, block, left1, v1, case.theta, edge)
    at2, above2 = at + U2 * block, above + U2 * block
    new2, left2 = _primal(flow, at2, above2, block, left2, v2, case.theta, edge)
    store(flow, at, new1)
    store(flow, at2, new2)
    change = (new1 - u1) * (new1 - u1) + (new2 - u2) * (new2 - u2)
    if shade is not None:
        change = change + (new3 - u3) * (new3 - u3)
    if inside is not None:
        change = change * inside
    store(case.changes, row * case.grid.span + x, change)
    return error + change, (left1, left2, left3), (new1, new2, new3)


@njit(forceinline=True)
def _dual_part(
    case: Case,
    shade: Address | None,
    at: tuple[int, int, int],
    u: tuple[Vectors, Vectors, Vectors],
    inner: Vector | None,
    count: int,
) -> int:
    """New dual variables of a part: `at` its row, its x, and the row below it; `u` of it, the part
    to its right and that below.

    If float32 leaves a length undecided, those of u1 and u2 stay, and the part becomes pending, as
    `count` are already. Returns how many are.
    """
    (row, x, lower), block = at, block_size(case.grid)
    first, second, third = (
        (u[0][0], u[1][0], u[2][0]),
        (u[0][1], u[1][1], u[2][1]),
        (u[0][2], u[1][2], u[2][2]),
    )
    here, below = place(case.grid, FLOW, row + 1, x), place(case.grid, FLOW, lower + 1, x)
    if shade is not None:
        here3, below3 = place(case.grid, SHADE, row + 1, x), place(case.grid, SHADE, lower + 1, x)
        slope3 = _slope(shade, here3, below3, third, inner)
        _dual(shade, here3, block, slope3, exact_length(slope3[0], slope3[1]), case.ratio)
    slope1 = _slope(case.flow, here, below, first, inner)
    slope2 = _slope(case.flow, here + U2 * block, below + U2 * block, second, inner)
    length1, other1 = length_bounds(slope1[0], slope1[1])
    length2, other2 = length_bounds(slope2[0], slope2[1])
    if differ(length1, other1, length2, other2):
        store_integer(case.pending, count, x)
        return count + 1
    _dual(case.flow, here, block, slope1, length1, case.ratio)
    _dual(case.flow, here + U2 * block, block, slope2, length2, case.ratio)
    return count


@njit(forceinline=True)
def _load_flow(case: Case, shade: Address | None, row: int, x: int) -> Vectors:
    """u1, u2, u3 of the part of a row at x; `shade` is that of the case."""
    at = place(case.grid, FLOW, row + 1, x)
    u1, u2 = load_part(case.flow, at), load_part(case.flow, at + U2 * block_size(case.grid))
    if shade is None:
        return u1, u2, splat_part(_ZERO)
    return u1, u2, load_part(shade, place(case.grid, SHADE, row + 1, x))


@njit
def _decide(case: Case, row: int, lower: int, count: int) -> None:
    """New dual variables of the pending parts of a row, of which there are `count`."""
    for k in range(count):
        x, inner = load_integer(case.pending, k), splat_part(_ONE)
        if x == (case.grid.parts - 1) * PART:
            inner = edge_mask(case.masks, INNER, case.grid.parts)
        u, right = _load_flow(case, None, row, x), _load_flow(case, None, row, x + PART)
        under = _load_flow(case, None, lower, x)
        for channel in range(2):
            offset = channel * U2 * block_size(case.grid)
            at = place(case.grid, FLOW, row + 1, x) + offset
            below = place(case.grid, FLOW, lower + 1, x) + offset
            three = (u[0], right[0], under[0]) if channel == 0 else (u[1], right[1], under[1])
            slope = _slope(case.flow, at, below, three, inner)
            length = exact_length(slope[0], slope[1])
            _dual(case.flow, at, block_size(case.grid), slope, length, case.ratio)


@njit(forceinline=True)
def _step(
    case: Case, row: int, x: int, carry: Carry, inside: Vector | None, count: int
) -> tuple[Carry, int]:
    """Flow of the part of a row at x, dual variables of the part left of that in the row above."""
    error, left, u, new = carry
    right = _load_flow(case, case.shade, row - 1, x)
    error, left, newer = _flow_part(case, case.shade, row, x, error, left, inside, False)
    at = row - 1, x - PART, row
    count = _dual_part(case, case.shade, at, (u, right, new), None, count)
    return (error, left, right, newer), count


@njit(forceinline=True)
def _row(case: Case, row: int) -> np.float32:
    """Flow of a row and dual variables of the row above it; returns its squared changes.

    The dual variables come one part behind the flow, so that neither waits for the other.
    """
    last, zero, count = (case.grid.parts - 1) * PART, splat_part(_ZERO), 0
    inside = edge_mask(case.masks, INSIDE, case.grid.parts)
    alone = inside if last == 0 else splat_part(_ONE)
    u, left = _load_flow(case, case.shade, row - 1, 0), (zero, zero, zero)
    error, left, new = _flow_part(case, case.shade, row, 0, zero, left, alone, True)
    carry = error, left, u, new
    for x in range(PART, last, PART):
        carry, count = _step(case, row, x, carry, None, count)
    if last > 0:
        carry, count = _step(case, row, last, carry, inside, count)
    error, _, u, new = carry
    inner = edge_mask(case.masks, INNER, case.grid.parts)
    at = row - 1, last, row
    count = _dual_part(case, case.shade, at, (u, u, new), inner, count)
    _decide(case, row - 1, row, count)
    changes: np.float32 = total(error)
    return changes


@njit
def _first_row(case: Case) -> np.float32:
    """Flow of row 0; returns its squared changes."""
    zero, last = splat_part(_ZERO), (case.grid.parts - 1) * PART
    error, left = zero, (zero, zero, zero)
    for x in range(0, last + PART, PART):
        inside = splat_part(_ONE)
        if x == last:
            inside = edge_mask(case.masks, INSIDE, case.grid.parts)
        error, left, _ = _flow_part(case, case.shade, 0, x, error, left, inside, x == 0)
    changes: np.float32 = total(error)
    return changes


@njit
def _last_row(case: Case) -> None:
    """Dual variables of the last row: nothing lies below it."""
    row, last, count = case.grid.rows - 1, (case.grid.parts - 1) * PART, 0
    for x in range(0, last + PART, PART):
        inner = splat_part(_ONE)
        if x == last:
            inner = edge_mask(case.masks, INNER, case.grid.parts)
        u, right = _load_flow(case, case.shade, row, x), _load_flow(case, case.shade, row, x + PART)
        count = _dual_part(case, case.shade, (row, x, row), (u, right, u), inner, count)
    _decide(case, row, row, count)


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
    for row in range(case.grid.rows):
        for x in range(case.grid.width):
            added += load_number(case.changes, row * case.grid.span + x)
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
