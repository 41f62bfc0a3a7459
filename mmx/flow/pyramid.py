"""Coarse to fine: the levels of two frames, and the flow passed from each level to the next finer.

It is independent of the solver and of the kind of array.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mmx.flow.parameters import TVL1Params

Array = Any
"""Of NumPy or of PyTorch."""
SMALLEST = 16
"""Shortest side of a level below the frame itself, in pixels."""


@dataclass(frozen=True)
class Backend:
    """The operations of coarse_to_fine on a kind of array; its last two axes are the image's."""

    resize: Callable[[Array, tuple[int, int], float | None], Array]
    """Bilinear, to (rows, width); by the ratio of the sizes, or else by the step that is given."""
    enlarge: Callable[[Array, float], None]
    """Multiply in place by a number that float32 may not have, rounding once."""
    solve: Callable[[Array, Array, Array | None], Array]
    """From two frames and the flow to start with, or none, to the flow (..., channels, rows,
    width) of that scale: u1, u2 and perhaps more that is not a length."""


def level_sizes(rows: int, width: int, params: TVL1Params) -> list[tuple[int, int]]:
    """Return (rows, width) of the levels, the frame's own first; halves are rounded to even."""
    sizes = [(rows, width)]
    while len(sizes) < params.scales:
        rows, width = round(rows * params.scale_step), round(width * params.scale_step)
        if min(rows, width) < SMALLEST:
            break
        sizes.append((rows, width))
    return sizes


def coarse_to_fine(prev: Array, next_: Array, params: TVL1Params, backend: Backend) -> Array:
    """Return the flow from `prev` to `next_` (..., rows, width), in pixels."""
    rows, width = prev.shape[-2:]
    sizes = level_sizes(rows, width, params)
    levels = [(prev, next_)]
    for size in sizes[1:]:
        first, second = (backend.resize(frames, size, params.scale_step) for frames in levels[-1])
        levels.append((first, second))
    flow = None
    for size, (first, second) in zip(reversed(sizes), reversed(levels), strict=True):
        if flow is not None:
            flow = backend.resize(flow, size, None)
            backend.enlarge(flow[..., :2, :, :], 1.0 / params.scale_step)
        flow = backend.solve(first, second, flow)
    return flow
