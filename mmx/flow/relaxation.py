"""The iteration of Dual TV-L1 on one scale: thresholding step, flow, dual variables, in one pass.

Row i of u needs the old dual variables of rows i - 1 and i; row i - 1 of p follows as soon as row i
of u is there. So one iteration passes once over memory, in place, and the next may follow one row
behind it, in what the cache still holds. `mmx.flow.tiles` says how the images are laid out.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from mmx.flow.simd import (
    LANES,
    Float32x16,
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

_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)


class Case(NamedTuple):
    """What the iterations of a warp have in common."""

    rows: int
    tiles: int
    """Per row."""
    masks: int
    """Address of what `edge_masks` makes."""
    field: int
    """Address."""
    bound: Float32x16
    """lambda theta in every lane."""
    theta: Float32x16
    ratio: Float32x16
    """tau / theta."""
    gamma: Float32x16


class Ends(NamedTuple):
    """Addresses from which and to which an iteration goes; they may be the same."""

    source: int
    target: int
    shade: int | None
    """The illumination term's part of the source, if there is such a term."""
    shaded: int | None
    """The illumination term's part of the target."""


@njit(forceinline=True)
def _residual(field, here, u1, u2):
    """rho without the illumination term."""
    constant = load(field, here + 3 * LANES)
    return constant + load(field, here) * u1 + load(field, here + LANES) * u2


@njit(forceinline=True)
def _threshold(field, here, rho, bound):
    """The thresholding step's scalar: v = u - scalar * (I1wx, I1wy, gamma)."""
    scalar = rho * load(field, here + 2 * LANES)
    return maximum(minimum(scalar, bound), splat(_ZERO) - bound)


@njit(forceinline=True)
def _primal(dual, at, above, left, v, theta):
    """u = v + theta div p of a tile; also px, the left neighbour of the next tile's."""
    px = load(dual, at + LANES)
    rise = load(dual, at + 2 * LANES) - load(dual, above + 2 * LANES)
    return v + theta * ((px - before(left, px)) + rise), px


@njit(forceinline=True)
def _dual(source, target, at, u, right, below, inner, ratio):
    """p = (p + tau/theta grad u) / (1 + tau/theta |grad u|) of a tile."""
    ux = (after(u, right) - u) * inner
    uy = below - u
    length = square_root(ux * ux + uy * uy)
    scale = quotient(splat(_ONE), splat(_ONE) + ratio * length)
    store(target, at + LANES, (load(source, at + LANES) + ratio * ux) * scale)
    store(target, at + 2 * LANES, (load(source, at + 2 * LANES) + ratio * uy) * scale)


@njit(forceinline=True)
def _flow_tile(case, ends, shade, here, at, above, left, error, inside):
    """New u1, u2 and u3 of a tile; `shade` is None without an illumination term."""
    source, target, shaded = ends.source, ends.target, ends.shaded
    left1, left2, left3 = left
    u1, u2 = load(source, at), load(source, at + U2)
    rho = _residual(case.field, here, u1, u2)
    if shade is None:
        scalar, new3 = _threshold(case.field, here, rho, case.bound), left3
    else:
        u3 = load(shade, at // 2)
        scalar = _threshold(case.field, here, rho + case.gamma * u3, case.bound)
        v3 = u3 - scalar * case.gamma
        new3, left3 = _primal(shade, at // 2, above // 2, left3, v3, case.theta)
        store(shaded, at // 2, new3)
        error = error + (new3 - u3) * inside * (new3 - u3)
    v1, v2 = u1 - scalar * load(case.field, here), u2 - scalar * load(case.field, here + LANES)
    new1, left1 = _primal(source, at, above, left1, v1, case.theta)
    new2, left2 = _primal(source, at + U2, above + U2, left2, v2, case.theta)
    store(target, at, new1)
    store(target, at + U2, new2)
    error = error + (new1 - u1) * inside * (new1 - u1)
    error = error + (new2 - u2) * inside * (new2 - u2)
    return (new1, new2, new3), (left1, left2, left3), error


@njit(forceinline=True)
def _dual_tile(case, ends, shade, at, u, right, below, inner):
    """New dual variables of a tile, given u of it, of the tile to its right and of that below."""
    _dual(ends.source, ends.target, at, u[0], right[0], below[0], inner, case.ratio)
    _dual(ends.source, ends.target, at + U2, u[1], right[1], below[1], inner, case.ratio)
    if shade is not None:
        _dual(shade, ends.shaded, at // 2, u[2], right[2], below[2], inner, case.ratio)


@njit(forceinline=True)
def _load_flow(flow, at, shaded):
    """u1, u2, u3 of a tile."""
    if shaded is None:
        return load(flow, at), load(flow, at + U2), splat(_ZERO)
    return load(flow, at), load(flow, at + U2), load(shaded, at // 2)


@njit(forceinline=True)
def _step(case, ends, tile, carry, inside):
    """Flow of a tile (its number in the image), dual variables of the tile above its left one."""
    left, error, u, new = carry
    above = tile * FLOW_TILE
    right = _load_flow(ends.target, above, ends.shaded)
    at, here = above + case.tiles * FLOW_TILE, tile * FIELD_TILE
    newer, left, error = _flow_tile(case, ends, ends.shade, here, at, above, left, error, inside)
    _dual_tile(case, ends, ends.shade, above - FLOW_TILE, u, right, new, splat(_ONE))
    return left, error, right, newer


@njit(forceinline=True)
def _row(case, ends, row):
    """Flow of a row and dual variables of the row above it; returns its squared changes.

    The dual variables come one tile behind the flow, so that neither waits for the other.
    """
    zero, first = splat(_ZERO), row * case.tiles
    last, above = first + case.tiles - 1, first * FLOW_TILE
    at, here = above + case.tiles * FLOW_TILE, first * FIELD_TILE
    inside = load(case.masks, INSIDE if case.tiles == 1 else ONES)
    left = zero, zero, zero
    new, left, error = _flow_tile(case, ends, ends.shade, here, at, above, left, zero, inside)
    carry = left, error, _load_flow(ends.target, above, ends.shaded), new
    for tile in range(first + 1, last):
        carry = _step(case, ends, tile, carry, splat(_ONE))
    if case.tiles > 1:
        carry = _step(case, ends, last, carry, load(case.masks, INSIDE))
    _, error, u, new = carry
    inner = load(case.masks, INNER)
    _dual_tile(case, ends, ends.shade, last * FLOW_TILE, u, u, new, inner)
    return total(error)


@njit
def _first_row(case, ends):
    """Flow of row 0; returns its squared changes."""
    zero = splat(_ZERO)
    left, error = (zero, zero, zero), zero
    for tile in range(case.tiles):
        above = tile * FLOW_TILE
        at = above + case.tiles * FLOW_TILE
        inside = load(case.masks, INSIDE if tile == case.tiles - 1 else ONES)
        _, left, error = _flow_tile(
            case, ends, ends.shade, tile * FIELD_TILE, at, above, left, error, inside
        )
    return total(error)


@njit
def _last_row(case, ends):
    """Dual variables of the last row: nothing lies below it."""
    for tile in range(case.tiles):
        at = (case.rows * case.tiles + tile) * FLOW_TILE
        u = _load_flow(ends.target, at, ends.shaded)
        right = _load_flow(ends.target, at + FLOW_TILE, ends.shaded)
        inner = load(case.masks, INNER if tile == case.tiles - 1 else ONES)
        _dual_tile(case, ends, ends.shade, at, u, right, u, inner)


@njit(forceinline=True)
def _advance(case, ends, row):
    """What an iteration does when it comes to a row; the one below the last ends it."""
    if row == 0:
        return _first_row(case, ends)
    if row < case.rows:
        return _row(case, ends, row)
    _last_row(case, ends)
    return _ZERO


@njit
def relax(case, ends, errors):
    """Run len(errors) iterations; `errors` gets the sum of squared changes of u of each.

    They follow each other down the image one row apart. The source stays as it is, unless it is
    the target.
    """
    errors[:] = 0.0
    later = Ends(ends.target, ends.target, ends.shaded, ends.shaded)
    for wave in range(case.rows + len(errors)):
        for n in range(max(0, wave - case.rows), min(len(errors), wave + 1)):
            errors[n] += _advance(case, later if n else ends, wave - n)
