"""Where the compiled solver's time goes: the same kernels, called one by one with a clock between."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numba import njit

from mmx.flow import scale
from mmx.flow.median import median_filter
from mmx.flow.relaxation import Case, Ends, relax
from mmx.flow.scale import Memory, Settings
from mmx.flow.simd import splat
from mmx.flow.tiles import U1, U2, Grid
from mmx.flow.tvl1 import TVL1
from mmx.flow.warp import linearise


@njit
def _linearise(memory, flow, grid):
    linearise(memory.frame, memory.image, flow, memory.field, grid, memory.masks, memory.plan)


@njit
def _median(memory, flow, grid, size):
    for u in (U1, U2):
        median_filter(flow, u, memory.plane, memory.ranks, grid, memory.masks, size)


@njit
def _iterate(memory, ends, grid, settings, errors):
    case = scale._case(memory, grid, settings)
    return scale._iterate(case, ends, settings, errors)
