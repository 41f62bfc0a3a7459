"""The solver of one scale in compiled code: warps, outer and inner iterations, and when they stop."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit

from mmx.flow import median, relaxation, simd, tiles, warp
from mmx.flow.median import median_filter
from mmx.flow.parameters import TVL1Params
from mmx.flow.relaxation import Steps, relax
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
from mmx.flow.warp import MARGIN, interleave, linearise

CHASE = 8
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


class Work(NamedTuple):
    """What compiled code writes on its way, one-dimensional float32."""

    image: np.ndarray
    """I1 and its gradient, interleaved, with a margin of zeros."""
    field: np.ndarray
    """Four planes in tiles."""
    plane: np.ndarray
    ranks: np.ndarray
    places: np.ndarray


@njit
def _ahead(error, before, stop, left):
    """How many iterations to start at once: as many as the trend says will be needed."""
    if stop <= 0.0 or not error < before:
        return min(CHASE, left)
    needed = np.log(error / stop) / np.log(before / error)
    return max(1, int(min(np.ceil(needed), CHASE, left)))


@njit
def _accepted(errors, stop):
    """How many of these iterations are run by a solver that looks at the rule after each."""
    for n in range(len(errors)):
        if errors[n] <= stop:
            return n + 1
    return len(errors)


@njit
def _iterate(field, a, b, c, d, grid, masks, steps, settings, errors):
    """Inner iterations on `a` (and `c`); returns the last error, and whether the result is in `b`.

    Several iterations run at once, from `a` to `b`. When it turns out that one of them met the
    stopping rule, they are run again from `a`, up to that one: the result is that of looking after
    each. An iteration alone needs no way back and works in place.
    """
    before, error, left, swapped = np.inf, np.inf, settings.inner, False
    while error > settings.stop and left > 0:
        fresh = left == settings.inner
        count = min(2, left) if fresh else _ahead(error, before, settings.stop, left)
        if count == 1:
            relax(field, a, a, c, c, grid, masks, steps, errors[:1])
            done = 1
        else:
            relax(field, a, b, c, d, grid, masks, steps, errors[:count])
            done = _accepted(errors[:count], settings.stop)
            if done < count:
                relax(field, a, b, c, d, grid, masks, steps, errors[:done])
            a, b, c, d, swapped = b, a, d, c, not swapped
        before, error = error if done == 1 else errors[done - 2], errors[done - 1]
        left -= done
    return error, swapped


def _compiled(version: str) -> Callable[..., bool]:
    """Return the solver, compiled at its first call and then found in numba's cache.

    The cache looks only at the file of the function itself. `version`, a digest of the other
    kernels' files, is part of the function and so of its key.
    """

    @njit(cache=True)
    def solve(frame, flow, shade, work, grid, masks, settings):
        assert version
        a, b = flow
        c, d = shade
        steps = Steps(
            splat(settings.bound),
            splat(settings.theta),
            splat(settings.ratio),
            splat(settings.gamma),
        )
        errors, swapped = np.empty(CHASE), False
        for _ in range(settings.warps):
            linearise(frame, work.image, a, work.field, grid, masks, work.places)
            error, outer = np.inf, 0
            while error > settings.stop and outer < settings.outer:
                if settings.median > 1:
                    median_filter(a, U1, work.plane, work.ranks, grid, masks, settings.median)
                    median_filter(a, U2, work.plane, work.ranks, grid, masks, settings.median)
                error, odd = _iterate(work.field, a, b, c, d, grid, masks, steps, settings, errors)
                if odd:
                    a, b, c, d, swapped = b, a, d, c, not swapped
                outer += 1
        return swapped

    return solve


def _digest() -> str:
    """Return a digest of the kernels' files."""
    return hashlib.sha256(b"".join(Path(k.__file__).read_bytes() for k in _KERNELS)).hexdigest()


_solve = _compiled(_digest())


class Scale:
    """Solves one level of the pyramid; holds the memory that this takes."""

    def __init__(self, rows: int, width: int, params: TVL1Params) -> None:
        """Allocate for frames of rows x width pixels."""
        self._grid = grid = make_grid(rows, width)
        self._masks = edge_masks(grid)
        self._settings = _settings(params, rows * width)
        self._frame = aligned_zeros(rows * grid.tiles * LANES)
        self._flow = (dual_array(grid, 2), dual_array(grid, 2))
        self._shade = (dual_array(grid, 1), dual_array(grid, 1)) if params.gamma else (None, None)
        self._work = Work(
            image=aligned_zeros((rows + 2 * MARGIN) * (width + 2 * MARGIN) * 4),
            field=aligned_zeros(rows * grid.tiles * 4 * LANES),
            plane=aligned_zeros((rows + 4) * (grid.tiles + 2) * LANES),
            ranks=aligned_zeros(5 * (grid.tiles + 2) * LANES),
            places=aligned_zeros(13 * LANES),
        )

    def solve(self, frame: np.ndarray, other: np.ndarray, flow: np.ndarray | None) -> np.ndarray:
        """Return the flow (channels, rows, width) that `flow`, or none, leads to on this scale.

        `frame`, `other`: I0 and I1, float32 (rows, width) in grey levels of 0 to 255. Channels are
        u1, u2 and, with an illumination term, u3.
        """
        grid = self._grid
        tile_image(frame, self._frame, grid)
        interleave(other, self._work.image, grid)
        begin_dual(self._flow[0], None if flow is None else flow[:2], grid)
        if self._shade[0] is not None:
            begin_dual(self._shade[0], None if flow is None else flow[2:], grid)
        end = _solve(
            self._frame, self._flow, self._shade, self._work, grid, self._masks, self._settings
        )
        u = read_dual(self._flow[end], 2, grid)
        shade = self._shade[end]
        return u if shade is None else np.concatenate([u, read_dual(shade, 1, grid)])


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
