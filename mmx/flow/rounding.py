"""Lengths with the bits that float64 gives, computed in float32."""

import numpy as np
from numba import njit

from mmx.flow.simd import (
    PART,
    QUICK_ROOTS,
    Vector,
    Vectors,
    fused,
    greater,
    half_less,
    half_more,
    larger_size,
    remainder,
    rough_root_inverse,
    smaller_size,
    splat_part,
    square_root,
)

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
    if PART == 8:
        root = fused(remainder(root, root, square), half, root)
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
    square = greater(square, splat_part(_TINY))
    inverse = rough_root_inverse(square)
    low, high = half_less(inverse), half_more(inverse)
    root = _root(square, inverse, low)
    rest = remainder(root, root, square) + lost
    return fused(rest, low, root), fused(rest, high, root)
