"""The median filter, edges repeated, as a network of minima and maxima."""

from numba import njit

from mmx.flow.simd import LANES, load, load_number, maximum, minimum, splat, store
from mmx.flow.tiles import FLOW_TILE, INSIDE, ONES


@njit(forceinline=True)
def _sort2(a, b):
    return minimum(a, b), maximum(a, b)


@njit(forceinline=True)
def _sort3(a, b, c):
    a, b = _sort2(a, b)
    b, c = _sort2(b, c)
    a, b = _sort2(a, b)
    return a, b, c


@njit(forceinline=True)
def _sort5(a, b, c, d, e):
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
def _window(plane, at):
    """The five vectors around element `at` of a row."""
    return (
        load(plane, at - 2),
        load(plane, at - 1),
        load(plane, at),
        load(plane, at + 1),
        load(plane, at + 2),
    )


@njit
def _sort_columns3(plane, at, stride, ranks):
    """Sort each pixel with its two vertical neighbours into rows 0 to 2 of `ranks`."""
    for x in range(0, stride, LANES):
        here = at + x
        low, middle, high = _sort3(
            load(plane, here - stride), load(plane, here), load(plane, here + stride)
        )
        store(ranks, x, low)
        store(ranks, stride + x, middle)
        store(ranks, 2 * stride + x, high)


@njit
def _sort_columns5(plane, at, stride, ranks):
    """Sort each pixel with its four vertical neighbours into rows 0 to 4 of `ranks`."""
    for x in range(0, stride, LANES):
        here = at + x
        a, b, c, d, e = _sort5(
            load(plane, here - 2 * stride),
            load(plane, here - stride),
            load(plane, here),
            load(plane, here + stride),
            load(plane, here + 2 * stride),
        )
        store(ranks, x, a)
        store(ranks, stride + x, b)
        store(ranks, 2 * stride + x, c)
        store(ranks, 3 * stride + x, d)
        store(ranks, 4 * stride + x, e)


@njit(forceinline=True)
def _median3(ranks, at, stride):
    """The median of nine whose columns are sorted: of largest low, middle middle, smallest high."""
    _, a, b, c, _ = _window(ranks, at)
    low = maximum(maximum(a, b), c)
    _, a, b, c, _ = _window(ranks, at + stride)
    middle = _sort3(a, b, c)[1]
    _, a, b, c, _ = _window(ranks, at + 2 * stride)
    high = minimum(minimum(a, b), c)
    return _sort3(low, middle, high)[1]


@njit(forceinline=True)
def _median5(ranks, at, stride):
    """The median of 25 whose columns are sorted.

    With the rows sorted too, only the three rising diagonals next to the centre can hold it, and of
    these only the largest of the lower, the middle of the middle, the smallest of the upper one.
    """
    _, _, _, a3, a4 = _sort5(*_window(ranks, at))
    _, _, b2, b3, b4 = _sort5(*_window(ranks, at + stride))
    _, c1, c2, c3, _ = _sort5(*_window(ranks, at + 2 * stride))
    d0, d1, d2, _, _ = _sort5(*_window(ranks, at + 3 * stride))
    e0, e1, _, _, _ = _sort5(*_window(ranks, at + 4 * stride))
    lower = maximum(maximum(a3, b2), maximum(c1, d0))
    middle = _sort5(a4, b3, c2, d1, e0)[2]
    upper = minimum(minimum(b4, c3), minimum(d2, e1))
    return _sort3(lower, middle, upper)[1]


@njit
def _unfold(flow, channel, plane, rows, tiles, width):
    """Copy a channel of the flow into a plane with two more pixels on every side: the edges."""
    stride = (tiles + 2) * LANES
    for row in range(rows):
        start = (row + 2) * stride + LANES
        at = (row + 1) * tiles * FLOW_TILE + channel
        store(plane, start - LANES, splat(load_number(flow, at)))
        for tile in range(tiles):
            store(plane, start + tile * LANES, load(flow, at + tile * FLOW_TILE))
        store(plane, start + width, splat(load_number(plane, start + width - 1)))
    for border in range(2):
        below = (rows + 2 + border) * stride
        for x in range(0, stride, LANES):
            store(plane, border * stride + x, load(plane, 2 * stride + x))
            store(plane, below + x, load(plane, (rows + 1) * stride + x))


@njit
def median_filter(flow, channel, plane, ranks, grid, masks, size):
    """Replace a channel of the flow (its offset in a tile) by its `size` x `size` median.

    Addresses: `flow`; `masks`, of what `edge_masks` makes; `plane`, work space of (rows + 4) x
    (tiles + 2) vectors; `ranks`, of 5 x (tiles + 2) vectors.
    """
    _unfold(flow, channel, plane, grid.rows, grid.tiles, grid.width)
    stride = (grid.tiles + 2) * LANES
    for row in range(grid.rows):
        at = (row + 2) * stride
        if size == 3:
            _sort_columns3(plane, at, stride, ranks)
        else:
            _sort_columns5(plane, at, stride, ranks)
        target = (row + 1) * grid.tiles * FLOW_TILE + channel
        for tile in range(grid.tiles):
            x = (tile + 1) * LANES
            median = _median3(ranks, x, stride) if size == 3 else _median5(ranks, x, stride)
            inside = load(masks, INSIDE if tile == grid.tiles - 1 else ONES)
            store(flow, target + tile * FLOW_TILE, median * inside)
