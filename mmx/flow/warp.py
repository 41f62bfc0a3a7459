"""Warping of the second frame and its gradient by the flow, with cubic interpolation.

The frame, its two derivatives and a zero lie interleaved, four numbers per pixel: four neighbours
of a row are one vector, so that the three images are interpolated by four loads per pixel.
"""

import numpy as np
from numba import njit

from mmx.flow.simd import (
    LANES,
    add_quarters,
    floor,
    load,
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
from mmx.flow.tiles import FIELD_TILE, FLOW_TILE, INSIDE, ONES, U2

MARGIN = 8
"""Pixels of zeros around the interleaved image: what lies outside the frame is zero."""
_REACH = np.float32(3.0)
"""From here on outwards, all sixteen taps lie outside the frame."""
_A = np.float32(-0.75)
"""The parameter of the cubic kernel (Keys 1981), with OpenCV's value."""
_TINY = np.float32(1e-20)
_ONE = np.float32(1.0)
_HALF = np.float32(0.5)


@njit
def interleave(image, target, grid):
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
def _cubic(t):
    """The weights of the four taps around a place, t beyond the second."""
    a, one = splat(_A), splat(_ONE)
    square, rest = t * t, one - t
    w0 = a * t * rest * rest
    w3 = a * square * rest
    w1 = one + square * ((a + one + one) * t - (a + one + one + one))
    return w0, w1, one - w0 - w1 - w3, w3


@njit(forceinline=True)
def _place(position, last, whole, at):
    """Clamp positions to what the margin holds; store their whole parts, return the rest."""
    position = minimum(maximum(position, splat(-_REACH)), splat(np.float32(last) + _REACH))
    base = floor(position)
    store_integers(whole, at, base)
    return position - base


@njit(forceinline=True)
def _tap(image, at, span, wx, wy, lane):
    """The weighted taps of one place, given its first: four numbers for each of four columns."""
    rows = load(image, at) * splat(wy[lane])
    rows = rows + load(image, at + span) * splat(wy[LANES + lane])
    rows = rows + load(image, at + 2 * span) * splat(wy[2 * LANES + lane])
    rows = rows + load(image, at + 3 * span) * splat(wy[3 * LANES + lane])
    return rows * load_repeated(wx, 4 * lane)


@njit(forceinline=True)
def _sample(image, span, whole, wx, wy):
    """I1, I1x and I1y at 16 places, given the whole parts of x and y and the taps' weights."""
    first = (MARGIN - 1) * (span + 4)
    taps = wy[4 * LANES :]
    for lane in range(0, LANES, 4):
        a = first + whole[LANES + lane] * span + whole[lane] * 4
        b = first + whole[LANES + lane + 1] * span + whole[lane + 1] * 4
        c = first + whole[LANES + lane + 2] * span + whole[lane + 2] * 4
        d = first + whole[LANES + lane + 3] * span + whole[lane + 3] * 4
        quad = add_quarters(
            _tap(image, a, span, wx, wy, lane),
            _tap(image, b, span, wx, wy, lane + 1),
            _tap(image, c, span, wx, wy, lane + 2),
            _tap(image, d, span, wx, wy, lane + 3),
        )
        store(taps, 4 * lane, quad)
    return part_quads(
        load(taps, 0), load(taps, LANES), load(taps, 2 * LANES), load(taps, 3 * LANES)
    )


@njit(forceinline=True)
def _store_four(array, vectors):
    """Write four vectors one after the other."""
    store(array, 0, vectors[0])
    store(array, LANES, vectors[1])
    store(array, 2 * LANES, vectors[2])
    store(array, 3 * LANES, vectors[3])


@njit(forceinline=True)
def _write_field(field, here, warped, ix, iy, u1, u2, i0):
    """rho_c, the gradient and its inverse squared length; no gradient gives a step of zero."""
    square = maximum(ix * ix + iy * iy, splat(_TINY))
    store(field, here, ix)
    store(field, here + LANES, iy)
    store(field, here + 2 * LANES, quotient(splat(_ONE), square))
    store(field, here + 3 * LANES, warped - ix * u1 - iy * u2 - i0)


@njit
def linearise(frame, image, flow, field, grid, masks, work):
    """Warp I1 and its gradient by the flow, and write the field of one warp.

    `frame`: I0 in tiles; `image`: what `interleave` made of I1; `work`: space of 13 vectors.
    """
    wx, wy, lanes = work[: 4 * LANES], work[4 * LANES : 12 * LANES], work[12 * LANES :]
    whole = np.empty(2 * LANES, np.int32)
    lanes[:] = np.arange(LANES)
    span = (grid.width + 2 * MARGIN) * 4
    for number in range(grid.rows * grid.tiles):
        row, tile = divmod(number, grid.tiles)
        at = (number + grid.tiles) * FLOW_TILE
        u1, u2 = load(flow, at), load(flow, at + U2)
        x = splat(np.float32(tile * LANES)) + load(lanes, 0) + u1
        _store_four(wx, zip_quads(*_cubic(_place(x, grid.width - 1, whole, 0))))
        y = splat(np.float32(row)) + u2
        _store_four(wy, _cubic(_place(y, grid.rows - 1, whole, LANES)))
        warped, ix, iy = _sample(image, span, whole, wx, wy)
        inside = load(masks, INSIDE if tile == grid.tiles - 1 else ONES)
        i0 = load(frame, number * LANES)
        _write_field(field, number * FIELD_TILE, warped, ix * inside, iy * inside, u1, u2, i0)
