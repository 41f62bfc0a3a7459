"""Where the compiled solver's time goes: its kernels, called one by one, with a clock between."""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np
from numba import njit

from mmx.flow import scale
from mmx.flow.dual_tvl1 import TVL1
from mmx.flow.parameters import TVL1Params
from mmx.flow.planes import Grid, aligned_zeros
from mmx.flow.relaxation import relax
from mmx.flow.scale import Buffers, Settings, begin_warp, make_case, smooth
from mmx.flow.simd import LANES, Address, load, quotient, square_root, store
from mmx.flow.stopping import Stop

FOREVER = Stop(np.float32(-1.0), -1.0, -1.0)
"""Thresholds below any sum of squares: iterations never stop early."""


@dataclass(frozen=True)
class Parts:
    """One thread's milliseconds per pair."""

    warp: float
    """Linearisation: cubic look-up of the second frame and its gradient."""
    median: float
    iterations: float
    rest: float
    """Pyramids, resizing of the flow, copies in and out."""
    pixel_iterations: float
    """Millions per pair."""


@njit
def _begin(buffers: Buffers, grid: Grid, settings: Settings) -> None:
    begin_warp(buffers, grid, settings)


@njit
def _smooth(buffers: Buffers, grid: Grid, size: int) -> None:
    smooth(buffers, grid, size)


@njit
def _relax(
    buffers: Buffers,
    grid: Grid,
    settings: Settings,
    stop: Stop,
    errors: np.ndarray,
    rows: np.ndarray,
) -> tuple[int, bool]:
    case = make_case(buffers, grid, settings)
    return relax(case, len(errors), stop, errors, rows)


@njit
def _divide(values: Address, tiles: int, times: int) -> None:
    """The divisions and roots of `times` iterations over some tiles, and nothing else."""
    for _ in range(times):
        for tile in range(tiles):
            at = tile * 7 * LANES
            first, second = load(values, at), load(values, at + LANES)
            for k in range(2, 7):
                dividend = load(values, at + k * LANES)
                store(values, at + k * LANES, quotient(dividend, second if k % 2 else first))
            store(values, at, square_root(first))
            store(values, at + LANES, square_root(second))


class _Clock:
    """Runs a scale as the compiled solver does, and adds up what each kernel takes."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def timed(self, name: str, kernel: Callable[..., Any], *arguments: Any) -> Any:
        start = time.thread_time()
        result = kernel(*arguments)
        self.seconds[name] += time.thread_time() - start
        return result

    def solve(self, buffers: Buffers, grid: Grid, settings: Settings) -> None:
        errors, rows = np.empty(settings.inner), np.empty(settings.inner, np.int64)
        for _ in range(settings.warps):
            self.timed("warp", _begin, buffers, grid, settings)
            moving, outer = True, 0
            while moving and outer < settings.outer:
                self.timed("median", _smooth, buffers, grid, settings.median)
                arguments = buffers, grid, settings, settings.stop, errors, rows
                n, moving = self.timed("iterations", _relax, *arguments)
                self.seconds["pixels"] += n * grid.rows * grid.width / 1e6
                outer += 1


def take_apart(pairs: list[tuple[np.ndarray, np.ndarray]]) -> Parts:
    """Return the mean over some pairs of frames, after a round that is not counted."""
    solvers = {prev.shape: TVL1(*prev.shape) for prev, _ in pairs}
    for _ in range(2):
        clock = _Clock()
        start = time.thread_time()
        with patch.object(scale, "_solve", clock.solve):
            for prev, next_ in pairs:
                solvers[prev.shape].flow(prev, next_)
        total = time.thread_time() - start
    ms = {name: 1000 * spent / len(pairs) for name, spent in clock.seconds.items()}
    known = ms["warp"] + ms["median"] + ms["iterations"]
    return Parts(
        warp=ms["warp"],
        median=ms["median"],
        iterations=ms["iterations"],
        rest=1000 * total / len(pairs) - known,
        pixel_iterations=clock.seconds["pixels"] / len(pairs),
    )


def nanoseconds_per_pixel(rows: int, width: int, at_once: int) -> float:
    """Return the time of an iteration per pixel with `at_once` at a time; the best of several."""
    solver = scale.Scale(rows, width, TVL1Params())
    noise = np.random.default_rng(0).uniform(0, 255, (2, rows, width)).astype(np.float32)
    solver.solve(noise[0], noise[1], None)
    errors, places, best = np.empty(at_once), np.empty(at_once, np.int64), np.inf
    for _ in range(40):
        start = time.thread_time()
        _relax(solver._buffers, solver._grid, solver._settings, FOREVER, errors, places)
        best = min(best, time.thread_time() - start)
    return 1e9 * best / (rows * width * at_once)


def divider_nanoseconds_per_pixel() -> float:
    """Return what an iteration's five divisions and two roots alone cost per pixel; the best."""
    tiles, times, best = 40, 2000, np.inf
    values = aligned_zeros(tiles * 7 * LANES)
    values[:] = 1.0
    for _ in range(40):
        start = time.thread_time()
        _divide(values.ctypes.data, tiles, times)
        best = min(best, time.thread_time() - start)
    return 1e9 * best / (tiles * LANES * times)
