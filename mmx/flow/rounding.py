"""Lengths with the bits that float64 gives, computed in float32."""

import numpy as np
from numba import njit

from mmx.flow.simd import (
    QUICK_ROOTS,
    Vector,
    Vectors,
    fused,
    larger_size,
    maximum,
    remainder,
    rough_root_inverse,
    smaller_size,
    splat,
    square_root,
)

_LOW, _HIGH = np.float32(0.5 - 2.0**-14), np.float32(0.5 + 2.0**-14)
"""The true correction to a root lies between that with the one and that with the other."""
_TINY = np.float32(2.0**-100)
"""A square length treated as zero, whose root is exact."""


@njit(forceinline=True)
def _root(square: Vector, inverse: Vector, half: Vector) -> Vector:
    """Return the root of `square`, less than one unit of the last place off.

    `inverse`, its inverse, and `half` of that are estimates.
    """
    if QUICK_ROOTS:
        return square_root(square)
    root = square * inverse
    return fused(remainder(root, root, square), half, root)


@njit(forceinline=True)
def length_bounds(x: Vector, y: Vector) -> Vectors:
    """Return two bounds of the float32 nearest to the length of (x, y), equal in nearly all lanes.

    A root of the rounded sum of squares is corrected by its remainder and by what rounding has
    left out, a little too little and a little too much. Only where the result lies next to the
    middle between two numbers do the bounds differ. Lengths below 2^-50 come out as something below
    2^-49.
    """
    more, less = larger_size(x, y), smaller_size(x, y)
    large = more * more
    square = fused(less, less, large)
    lost = fused(less, less, large - square) - remainder(more, more, large)
    square = maximum(square, splat(_TINY))
    inverse = rough_root_inverse(square)
    low, high = inverse * splat(_LOW), inverse * splat(_HIGH)
    root = _root(square, inverse, low)
    rest = remainder(root, root, square) + lost
    return fused(rest, low, root), fused(rest, high, root)
