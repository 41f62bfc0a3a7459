"""The median filter, edges repeated, as a network of minima and maxima.

It works on integers that sort like the numbers, since processors have more units for integers.
"""

import numpy as np
from numba import njit

from mmx.flow.planes import FLOW, INSIDE, U2, Grid, aligned_zeros, block_size, edge_mask, place
from mmx.flow.simd import (
    LANES,
    PART,
    Address,
    Vector,
    Vectors,
    greater,
    lesser,
    load_number,
    load_part,
    ranked,
    splat_part,
    store,
)


@njit(forceinline=True)
def _sort2(a: Vector, b: Vector) -> Vectors:
    return lesser(a, b), greater(a, b)


@njit(forceinline=True)
def _sort3(a: Vector, b: Vector, c: Vector) -> Vectors:
    a, b = _sort2(a, b)
    b, c = _sort2(b, c)
    a, b = _sort2(a, b)
    return a, b, c


@njit(forceinline=True)
def _sort5(a: Vector, b: Vector, c: Vector, d: Vector, e: Vector) -> Vectors:
    a, b = _sort2(a, b)
    d, e = _sort2(d, e)
    c, e = _sort2(c, e)
    c, d = _sort2(c, d)
    b, e = _sort2(b, e)
    a, d = _sort2(a, d)
    a, c = _sort2(a, c)
    b, d = _sort2(b, d)
    b, c = _sort2(b, c)
    return a, b, c, d, e


@njit(forceinline=True)
def _window(plane: Address, at: int) -> Vectors:
    """The five vectors around element `at` of a row."""
    return (
        load_part(plane, at - 2),
        load_part(plane, at - 1),
        load_part(plane, at),
        load_part(plane, at + 1),
        load_part(plane, at + 2),
    )


@njit(forceinline=True)
def _median3(ranks: Address, at: int, stride: int) -> Vector:
    """The median of nine whose columns are sorted: of largest low, middle middle, smallest high."""
    _, a, b, c, _ = _window(ranks, at)
    low = greater(greater(a, b), c)
    _, a, b, c, _ = _window(ranks, at + stride)
    middle = _sort3(a, b, c)[1]
    _, a, b, c, _ = _window(ranks, at + 2 * stride)
    high = lesser(lesser(a, b), c)
    return _sort3(low, middle, high)[1]


@njit(forceinline=True)
def _median5(ranks: Address, at: int, stride: int) -> Vector:
    """The median of 25 whose columns are sorted.

    With the rows sorted too, only the three rising diagonals next to the centre can hold it, and of
    these only the largest of the lower, the middle of the middle, the smallest of the upper one.
    """
    _, _, _, a3, a4 = _sort5(*_window(ranks, at))
    _, _, b2, b3, b4 = _sort5(*_window(ranks, at + stride))
    _, c1, c2, c3, _ = _sort5(*_window(ranks, at + 2 * stride))
    d0, d1, d2, _, _ = _sort5(*_window(ranks, at + 3 * stride))
    e0, e1, _, _, _ = _sort5(*_window(ranks, at + 4 * stride))
    lower = greater(greater(a3, b2), greater(c1, d0))
    middle = _sort5(a4, b3, c2, d1, e0)[2]
    upper = lesser(lesser(b4, c3), lesser(d2, e1))
    return _sort3(lower, middle, upper)[1]


@njit
def _copy_row(flow: Address, row: int, lines: Address, grid: Grid) -> None:
    """Copy a row of u1 and u2 into its two of the ten lines, ranked, with its edges repeated."""
    stride = (grid.tiles + 2) * LANES
    for channel in range(2):
        start = (5 * channel + row % 5) * stride + LANES
        first = channel * U2 * block_size(grid)
        store(
            lines,
            start - PART,
            ranked(splat_part(load_number(flow, first + place(grid, FLOW, row + 1, 0)))),
        )
        for part in range(grid.parts):
            at = first + place(grid, FLOW, row + 1, part * PART)
            store(lines, start + part * PART, ranked(load_part(flow, at)))
        last = start + grid.width - 1
        store(lines, last + 1, splat_part(load_number(lines, last)))


@njit
def _sort_columns3(lines: Address, row: int, ranks: Address, grid: Grid) -> None:
    """Sort each pixel of a row with its two vertical neighbours into three rows of `ranks`."""
    stride = (grid.tiles + 2) * LANES
    above, below = max(row - 1, 0) % 5 * stride, min(row + 1, grid.rows - 1) % 5 * stride
    here = row % 5 * stride
    for channel in range(0, 10 * stride, 5 * stride):
        for x in range(channel + LANES - PART, channel + LANES + (grid.parts + 1) * PART, PART):
            low, middle, high = _sort3(
                load_part(lines, above + x), load_part(lines, here + x), load_part(lines, below + x)
            )
            store(ranks, x, low)
            store(ranks, x + stride, middle)
            store(ranks, x + 2 * stride, high)


@njit
def _sort_columns5(lines: Address, row: int, ranks: Address, grid: Grid) -> None:
    """Sort each pixel of a row with its four vertical neighbours into five rows of `ranks`."""
    stride = (grid.tiles + 2) * LANES
    r0, r1 = max(row - 2, 0) % 5 * stride, max(row - 1, 0) % 5 * stride
    r3, r4 = min(row + 1, grid.rows - 1) % 5 * stride, min(row + 2, grid.rows - 1) % 5 * stride
    r2 = row % 5 * stride
    for channel in range(0, 10 * stride, 5 * stride):
        for x in range(channel + LANES - PART, channel + LANES + (grid.parts + 1) * PART, PART):
            a, b, c, d, e = _sort5(
                load_part(lines, r0 + x),
                load_part(lines, r1 + x),
                load_part(lines, r2 + x),
                load_part(lines, r3 + x),
                load_part(lines, r4 + x),
            )
            store(ranks, x, a)
            store(ranks, x + stride, b)
            store(ranks, x + 2 * stride, c)
            store(ranks, x + 3 * stride, d)
            store(ranks, x + 4 * stride, e)


def median_array(grid: Grid) -> np.ndarray:
    """Return work space: the last five rows of u1 and of u2, and their columns' ranks."""
    return aligned_zeros(20 * (grid.tiles + 2) * LANES)


@njit
def median_filter(flow: Address, work: Address, grid: Grid, masks: Address, size: int) -> None:
    """Replace u1 and u2 by their `size` x `size` medians, `size` 3 or 5.

    Addresses: `flow`; `work`, what `median_array` makes; `masks`, what `edge_masks` makes.
    """
    stride = (grid.tiles + 2) * LANES
    ranks, reach = work + 4 * 10 * stride, size // 2
    for row in range(min(reach, grid.rows)):
        _copy_row(flow, row, work, grid)
    for row in range(grid.rows):
        if row + reach < grid.rows:
            _copy_row(flow, row + reach, work, grid)
        if size == 3:
            _sort_columns3(work, row, ranks, grid)
        else:
            _sort_columns5(work, row, ranks, grid)
        for part in range(grid.parts):
            x = LANES + part * PART
            if size == 3:
                u1, u2 = _median3(ranks, x, stride), _median3(ranks, x + 5 * stride, stride)
            else:
                u1, u2 = _median5(ranks, x, stride), _median5(ranks, x + 5 * stride, stride)
            u1, u2 = ranked(u1), ranked(u2)
            if part == grid.parts - 1:
                inside = edge_mask(masks, INSIDE, grid.parts)
                u1, u2 = u1 * inside, u2 * inside
            target = place(grid, FLOW, row + 1, part * PART)
            store(flow, target, u1)
            store(flow, target + U2 * block_size(grid), u2)
