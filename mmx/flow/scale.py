"""The solver of one scale in compiled code: warps, outer and inner iterations, their stop."""

import fcntl
import functools
import os
from typing import NamedTuple

import numpy as np
from numba import njit

from mmx.flow.cache import cache_folder, cached_njit
from mmx.flow.median import median_array, median_filter
from mmx.flow.parameters import TVL1Params
from mmx.flow.planes import (
    FIELD,
    Grid,
    aligned_zeros,
    begin_dual,
    dual_array,
    edge_masks,
    make_grid,
    read_dual,
    write_image,
)
from mmx.flow.relaxation import Case, relax
from mmx.flow.simd import Address, splat_part
from mmx.flow.stopping import Stop, stop_for
from mmx.flow.warp import MARGIN, interleave, linearise, plan_array


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
    stop: Stop


class Buffers(NamedTuple):
    """Addresses of the buffers of one scale."""

    frame: Address
    """I0."""
    image: Address
    """I1 and its gradient, interleaved, with a margin of zeros."""
    masks: Address
    field: Address
    median: Address
    plan: Address
    flow: Address
    shade: Address | None
    """The illumination term's part of the flow; None without."""
    changes: Address
    """Squared changes of every pixel in the last iteration."""
    pending: Address
    """Where in a row parts begin."""


@njit
def begin_warp(buffers: Buffers, grid: Grid, settings: Settings) -> Case:
    """Linearise at the flow so far; return what the warp's iterations have in common."""
    linearise(
        buffers.frame,
        buffers.image,
        buffers.flow,
        buffers.field,
        grid,
        buffers.masks,
        buffers.plan,
        settings.bound,
    )
    return make_case(buffers, grid, settings)


@njit
def make_case(buffers: Buffers, grid: Grid, settings: Settings) -> Case:
    """Return what the iterations of a warp have in common."""
    return Case(
        grid,
        buffers.masks,
        buffers.field,
        buffers.flow,
        buffers.shade,
        splat_part(settings.bound),
        splat_part(settings.theta),
        splat_part(settings.ratio),
        splat_part(settings.gamma),
        buffers.changes,
        buffers.pending,
    )


@njit
def smooth(buffers: Buffers, grid: Grid, size: int) -> None:
    """Median filter the flow so far."""
    if size > 1:
        median_filter(buffers.flow, buffers.median, grid, buffers.masks, size)


@cached_njit
def _solve(buffers: Buffers, grid: Grid, settings: Settings) -> None:
    errors, rows = np.empty(settings.inner), np.empty(settings.inner, np.int64)
    for _ in range(settings.warps):
        case = begin_warp(buffers, grid, settings)
        moving, outer = True, 0
        while moving and outer < settings.outer:
            smooth(buffers, grid, settings.median)
            _, moving = relax(case, settings.inner, settings.stop, errors, rows)
            outer += 1


class Scale:
    """Solves one level of the pyramid; holds its buffers."""

    def __init__(self, rows: int, width: int, params: TVL1Params) -> None:
        """Allocate for frames of rows x width pixels."""
        self._grid = grid = make_grid(rows, width)
        self._settings = _settings(params, rows * width)
        self._frame = aligned_zeros(rows * grid.span)
        self._image = aligned_zeros((rows + 2 * MARGIN) * (width + 2 * MARGIN) * 4)
        self._flow = dual_array(grid, 2)
        self._shade = dual_array(grid, 1) if params.gamma else None
        self._arrays = [
            self._frame,
            self._image,
            edge_masks(grid),
            aligned_zeros(rows * FIELD * grid.span),
            median_array(grid),
            plan_array(grid),
            self._flow,
            self._shade,
            aligned_zeros(rows * grid.span),
            np.zeros(grid.parts, np.int32),
        ]
        self._buffers = Buffers._make(map(_address, self._arrays))

    def solve(self, frame: np.ndarray, other: np.ndarray, flow: np.ndarray | None) -> np.ndarray:
        """Return the flow (channels, rows, width) that `flow`, or none, leads to on this scale.

        `frame`, `other`: I0 and I1, float32 (rows, width) in grey levels of 0 to 255. Channels are
        u1, u2 and, with an illumination term, u3.
        """
        grid, parts = self._grid, [(self._flow, slice(2))]
        if self._shade is not None:
            parts.append((self._shade, slice(2, 3)))
        if flow is None:
            flow = np.zeros((1 + len(parts), grid.rows, grid.width), np.float32)
        write_image(frame, self._frame, grid)
        interleave(other, self._image, grid)
        for tiled, channels in parts:
            begin_dual(flow[channels], tiled, grid)
        _solve(self._buffers, grid, self._settings)
        result = np.empty_like(flow)
        for tiled, channels in parts:
            read_dual(tiled, result[channels], grid)
        return result


def _address(array: np.ndarray | None) -> Address | None:
    return None if array is None else array.ctypes.data


@functools.cache
def prepare(illumination: bool) -> None:
    """Load the kernels: from numba's cache, or compile them, which takes seconds.

    Of several processes at once, one compiles and the others wait and read the cache.
    """
    params = TVL1Params(gamma=float(illumination))
    still = np.zeros((2, 2), np.float32)
    with (cache_folder() / f"flow-{os.getuid()}.lock").open("w") as lock:
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
        stop=stop_for(params, pixels),
    )
