"""The iteration of Dual TV-L1 on one scale: thresholding step, flow, dual variables, in one pass.

Row i of u needs the old dual variables of rows i - 1 and i; row i - 1 of p follows as soon as row i
of u is there. So one iteration passes once over memory, in place, and the next may follow one row
behind it, in what the cache still holds. `mmx.flow.tiles` says how the arrays are laid out.
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
    reciprocal_root,
    splat,
    store,
    total,
)
from mmx.flow.tiles import FIELD_TILE, FLOW_TILE, INNER, INSIDE, ONES, U2

_TINY = np.float32(1e-24)
"""Added to |grad u|^2, so that its root has a reciprocal; far below what float32 resolves in u."""
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)


class Steps(NamedTuple):
    """The constants of the iteration, in every lane."""

    bound: Float32x16
    """lambda theta."""
    theta: Float32x16
    ratio: Float32x16
    """tau / theta."""
    gamma: Float32x16


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
    root = reciprocal_root((splat(_TINY) + ux * ux) + uy * uy)
    scale = quotient(root, root + ratio)
    store(target, at + LANES, (load(source, at + LANES) + ratio * ux) * scale)
    store(target, at + 2 * LANES, (load(source, at + 2 * LANES) + ratio * uy) * scale)


@njit(forceinline=True)
def _flow_tile(field, source, target, here, at, above, left, error, shade, shaded, inside, steps):
    """New u1, u2 and u3 of a tile; without illumination term, `shade` and `shaded` are None."""
    left1, left2, left3 = left
    u1, u2 = load(source, at), load(source, at + U2)
    rho = _residual(field, here, u1, u2)
    if shade is None:
        scalar, new3 = _threshold(field, here, rho, steps.bound), left3
    else:
        u3 = load(shade, at // 2)
        scalar = _threshold(field, here, rho + steps.gamma * u3, steps.bound)
        v3 = u3 - scalar * steps.gamma
        new3, left3 = _primal(shade, at // 2, above // 2, left3, v3, steps.theta)
        store(shaded, at // 2, new3)
        error = error + (new3 - u3) * inside * (new3 - u3)
    v1, v2 = u1 - scalar * load(field, here), u2 - scalar * load(field, here + LANES)
    new1, left1 = _primal(source, at, above, left1, v1, steps.theta)
    new2, left2 = _primal(source, at + U2, above + U2, left2, v2, steps.theta)
    store(target, at, new1)
    store(target, at + U2, new2)
    error = error + (new1 - u1) * inside * (new1 - u1)
    error = error + (new2 - u2) * inside * (new2 - u2)
    return (new1, new2, new3), (left1, left2, left3), error


@njit(forceinline=True)
def _dual_tile(source, target, at, u, below, shade, shaded, inner, ratio):
    """New dual variables of a tile; returns u of the tile to its right."""
    right1, right2 = load(target, at + FLOW_TILE), load(target, at + FLOW_TILE + U2)
    _dual(source, target, at, u[0], right1, below[0], inner, ratio)
    _dual(source, target, at + U2, u[1], right2, below[1], inner, ratio)
    if shade is None:
        return right1, right2, u[2]
    right3 = load(shaded, (at + FLOW_TILE) // 2)
    _dual(shade, shaded, at // 2, u[2], right3, below[2], inner, ratio)
    return right1, right2, right3


@njit(forceinline=True)
def _load_flow(flow, at, shaded):
    """u1, u2, u3 of a tile."""
    if shaded is None:
        return load(flow, at), load(flow, at + U2), splat(_ZERO)
    return load(flow, at), load(flow, at + U2), load(shaded, at // 2)


@njit
def _first_row(field, source, target, shade, shaded, grid, masks, steps):
    """Flow of row 0; returns the sum of its squared changes."""
    zero = splat(_ZERO)
    left, error = (zero, zero, zero), zero
    for tile in range(grid.tiles):
        above = tile * FLOW_TILE
        at = above + grid.tiles * FLOW_TILE
        here = tile * FIELD_TILE
        inside = load(masks, INSIDE if tile == grid.tiles - 1 else ONES)
        _, left, error = _flow_tile(
            field, source, target, here, at, above, left, error, shade, shaded, inside, steps
        )
    return total(error)


@njit(forceinline=True)
def _tile(field, source, target, shade, shaded, here, above, span, carry, inside, inner, steps):
    """Flow of a tile and dual variables of the tile above it."""
    left, error, u = carry
    new, left, error = _flow_tile(
        field, source, target, here, above + span, above, left, error, shade, shaded, inside, steps
    )
    return left, error, _dual_tile(source, target, above, u, new, shade, shaded, inner, steps.ratio)


@njit(forceinline=True)
def _row(field, source, target, shade, shaded, row, grid, masks, steps):
    """Flow of a row and dual variables of the row above it; returns its squared changes."""
    zero, one = splat(_ZERO), splat(_ONE)
    span, last = grid.tiles * FLOW_TILE, grid.tiles - 1
    above, here = row * span, row * grid.tiles * FIELD_TILE
    carry = (zero, zero, zero), zero, _load_flow(target, above, shaded)
    for _ in range(last):
        carry = _tile(
            field, source, target, shade, shaded, here, above, span, carry, one, one, steps
        )
        above += FLOW_TILE
        here += FIELD_TILE
    inside, inner = load(masks, INSIDE), load(masks, INNER)
    carry = _tile(
        field, source, target, shade, shaded, here, above, span, carry, inside, inner, steps
    )
    return total(carry[1])


@njit
def _last_row(source, target, shade, shaded, grid, masks, steps):
    """Dual variables of the last row: nothing lies below it."""
    above = grid.rows * grid.tiles * FLOW_TILE
    for tile in range(grid.tiles):
        at = above + tile * FLOW_TILE
        u = _load_flow(target, at, shaded)
        inner = load(masks, INNER if tile == grid.tiles - 1 else ONES)
        _dual_tile(source, target, at, u, u, shade, shaded, inner, steps.ratio)


@njit
def relax(field, source, target, shade, shaded, grid, masks, steps, errors):
    """Run len(errors) iterations from `source` to `target`; `errors` gets their squared changes.

    The iterations follow each other down the image one row apart. `source` stays as it is.
    `shade`, `shaded`: None, or likewise the arrays of the illumination term.
    """
    errors[:] = 0.0
    for wave in range(grid.rows + len(errors)):
        for n in range(max(0, wave - grid.rows), min(len(errors), wave + 1)):
            if n == 0:
                errors[0] += _advance(
                    field, source, target, shade, shaded, wave, grid, masks, steps
                )
            else:
                errors[n] += _advance(
                    field, target, target, shaded, shaded, wave - n, grid, masks, steps
                )


@njit(forceinline=True)
def _advance(field, source, target, shade, shaded, row, grid, masks, steps):
    """What an iteration does when it comes to a row; the one below the last ends it."""
    if row == 0:
        return _first_row(field, source, target, shade, shaded, grid, masks, steps)
    if row < grid.rows:
        return _row(field, source, target, shade, shaded, row, grid, masks, steps)
    _last_row(source, target, shade, shaded, grid, masks, steps)
    return _ZERO
