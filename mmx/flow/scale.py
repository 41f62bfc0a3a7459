"""The solver of one scale in compiled code: warps, outer and inner iterations, their stop."""

import fcntl
import functools
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit

from mmx.flow import median, relaxation, simd, tiles, warp
from mmx.flow.median import median_filter
from mmx.flow.parameters import TVL1Params
from mmx.flow.relaxation import Case, Ends, relax
from mmx.flow.simd import LANES, splat
from mmx.flow.tiles import (
    U1,
    U2,
    aligned_zeros,
    begin_dual,
    dual_array,
    edge_masks,
    make_grid,
    read_dual,
    tile_image,
)
from mmx.flow.warp import MARGIN, interleave, linearise, plan_array

CHASE = 16
"""Most iterations that follow each other down the image at once."""
_KERNELS = (median, relaxation, simd, tiles, warp)


class Settings(NamedTuple):
    """The parameters as compiled code takes them."""

    bound: np.float32
    """lambda theta."""
    theta: np.float32
    ratio: np.float32
    """tau / theta."""
    gamma: np.float32
    warps: int
    outer: int
    inner: int
    median: int
    stop: float
    """Sum of squared changes at or below which iterations stop."""


class Memory(NamedTuple):
    """Addresses of what a scale is solved in."""

    frame: int
    """I0 in tiles."""
    image: int
    """I1 and its gradient, interleaved, with a margin of zeros."""
    masks: int
    field: int
    plane: int
    ranks: int
    plan: int
    flow: int
    other_flow: int
    """As large as `flow`; the result is in one of the two."""
    shade: int | None
    """The illumination term's part of the flow; None without."""
    other_shade: int | None


@njit
def _ahead(error, before, n, settings):
    """How many iterations to start at once after `n`: as many as are likely to be needed.

    Errors fall like a power of the number of iterations, by and large.
    """
    left = settings.inner - n
    if n < 2:
        return min(2, left)
    if settings.stop <= 0.0 or not error < before:
        return min(CHASE, left)
    needed = n * (error / settings.stop) ** (np.log(n / (n - 1)) / np.log(before / error)) - n
    return max(1, int(min(np.ceil(needed), CHASE, left)))


@njit
def _accepted(errors, stop):
    """How many of these iterations are run by a solver that looks at the rule after each."""
    for n in range(len(errors)):
        if errors[n] <= stop:
            return n + 1
    return len(errors)


@njit
def begin_warp(memory, ends, grid, settings):
    """Linearise at the flow that the source has; return what the warp's iterations share."""
    linearise(
        memory.frame, memory.image, ends.source, memory.field, grid, memory.masks, memory.plan
    )
    return Case(
        grid.rows,
        grid.tiles,
        memory.masks,
        memory.field,
        splat(settings.bound),
        splat(settings.theta),
        splat(settings.ratio),
        splat(settings.gamma),
    )


@njit
def smooth(memory, ends, grid, size):
    """Median filter the flow that the source has."""
    if size > 1:
        for u in (U1, U2):
            median_filter(ends.source, u, memory.plane, memory.ranks, grid, memory.masks, size)


@njit
def iterate(case, ends, settings, errors):
    """Inner iterations; returns the last error and their number. The result is in the target.

    Several iterations run at once. When it turns out that one of them met the stopping rule, all
    are run again from the source, which is still as it was, up to that one: the result is that of
    looking after each.
    """
    onward = Ends(ends.target, ends.target, ends.shaded, ends.shaded)
    before, error, n = np.inf, np.inf, 0
    while error > settings.stop and n < settings.inner:
        count = _ahead(error, before, n, settings)
        relax(case, onward if n else ends, errors[:count])
        done = _accepted(errors[:count], settings.stop)
        before, error = error if done == 1 else errors[done - 2], errors[done - 1]
        n += done
        if done < count:
            relax(case, ends, errors[:n])
    return error, n


def _compiled(version: str) -> Callable[..., tuple[bool, int]]:
    """Return the solver, compiled at its first use and from then on found in numba's cache.

    The cache looks only at the file of the function itself. `version`, a digest of the other
    kernels' files, is part of the function and so of its key.
    """

    @njit(cache=True)
    def solve(memory, grid, settings):
        assert version
        errors, iterations = np.empty(max(CHASE, settings.inner)), 0
        ends = Ends(memory.flow, memory.other_flow, memory.shade, memory.other_shade)
        for _ in range(settings.warps):
            case = begin_warp(memory, ends, grid, settings)
            error, outer = np.inf, 0
            while error > settings.stop and outer < settings.outer:
                smooth(memory, ends, grid, settings.median)
                error, count = iterate(case, ends, settings, errors)
                ends = Ends(ends.target, ends.source, ends.shaded, ends.shade)
                outer += 1
                iterations += count
        return ends.source == memory.other_flow, iterations

    return solve


def _digest() -> str:
    """Return a digest of the kernels' files."""
    return hashlib.sha256(b"".join(Path(k.__file__).read_bytes() for k in _KERNELS)).hexdigest()


_solve = _compiled(_digest())


class Scale:
    """Solves one level of the pyramid; holds the memory that this takes."""

    def __init__(self, rows: int, width: int, params: TVL1Params) -> None:
        """Allocate for frames of rows x width pixels."""
        self.iterations = 0
        """How many the last call of `solve` ran."""
        self._grid = grid = make_grid(rows, width)
        self._settings = _settings(params, rows * width)
        self._frame = aligned_zeros(rows * grid.tiles * LANES)
        self._image = aligned_zeros((rows + 2 * MARGIN) * (width + 2 * MARGIN) * 4)
        self._flow = [dual_array(grid, 2), dual_array(grid, 2)]
        self._shade = [dual_array(grid, 1), dual_array(grid, 1)] if params.gamma else [None, None]
        self._arrays = [
            self._frame,
            self._image,
            edge_masks(grid),
            aligned_zeros(rows * grid.tiles * 4 * LANES),
            aligned_zeros((rows + 4) * (grid.tiles + 2) * LANES),
            aligned_zeros(5 * (grid.tiles + 2) * LANES),
            plan_array(grid),
            *self._flow,
            *self._shade,
        ]
        addresses = [None if array is None else array.ctypes.data for array in self._arrays]
        self._memory = Memory(*addresses)

    def solve(self, frame: np.ndarray, other: np.ndarray, flow: np.ndarray | None) -> np.ndarray:
        """Return the flow (channels, rows, width) that `flow`, or none, leads to on this scale.

        `frame`, `other`: I0 and I1, float32 (rows, width) in grey levels of 0 to 255. Channels are
        u1, u2 and, with an illumination term, u3.
        """
        grid, parts = self._grid, [(self._flow, slice(2))]
        if self._shade[0] is not None:
            parts.append((self._shade, slice(2, 3)))
        if flow is None:
            flow = np.zeros((1 + len(parts), grid.rows, grid.width), np.float32)
        tile_image(frame, self._frame, grid)
        interleave(other, self._image, grid)
        for arrays, channels in parts:
            begin_dual(flow[channels], arrays[0], grid)
        end, self.iterations = _solve(self._memory, grid, self._settings)
        result = np.empty_like(flow)
        for arrays, channels in parts:
            read_dual(arrays[end], result[channels], grid)
        return result


@functools.cache
def prepare(illumination: bool) -> None:
    """Have the kernels in memory: from numba's cache, or compiled, which takes seconds.

    Of several processes at once, one compiles and the others wait and read the cache.
    """
    params = TVL1Params(gamma=float(illumination))
    still = np.zeros((2, 2), np.float32)
    with (Path(tempfile.gettempdir()) / f"mmx-flow-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        Scale(2, 2, params).solve(still, still, None)


def _settings(params: TVL1Params, pixels: int) -> Settings:
    return Settings(
        bound=np.float32(params.lambda_ * params.theta),
        theta=np.float32(params.theta),
        ratio=np.float32(params.tau / params.theta),
        gamma=np.float32(params.gamma),
        warps=params.warps,
        outer=params.outer_iterations,
        inner=params.inner_iterations,
        median=params.median_filtering,
        stop=params.epsilon**2 * pixels,
    )
