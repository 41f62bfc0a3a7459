"""The compiled parts of a scale against plain formulas and other libraries."""

import cv2
import numpy as np
import pytest
from numba import njit

from mmx.flow.median import median_filter
from mmx.flow.relaxation import Case, Ends, relax
from mmx.flow.simd import LANES, splat
from mmx.flow.tiles import (
    FIELD_TILE,
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

SHAPES = [(5, 3), (16, 16), (37, 53), (20, 33)]
BOUND, THETA, RATIO, GAMMA = (np.float32(value) for value in (0.045, 0.3, 0.25 / 0.3, 0.4))


@njit
def _relax(case, ends, constants, errors):
    vectors = splat(constants[0]), splat(constants[1]), splat(constants[2]), splat(constants[3])
    relax(Case(*case, *vectors), Ends(*ends), errors)


@njit
def _median(flow, channel, plane, ranks, grid, masks, size):
    median_filter(flow, channel, plane, ranks, grid, masks, size)


@njit
def _linearise(frame, image, flow, field, grid, masks, plan):
    linearise(frame, image, flow, field, grid, masks, plan)


def address(array):
    return None if array is None else array.ctypes.data


def begun(values, grid):
    tiled = dual_array(grid, len(values))
    begin_dual(values, tiled, grid)
    return tiled


def channels(tiled, count, grid):
    values = np.empty((count, grid.rows, grid.width), np.float32)
    read_dual(tiled, values, grid)
    return values


def planes(field, grid):
    """The field's four planes (4, rows, width)."""
    tiled = field.reshape(grid.rows, grid.tiles, 4, LANES)
    return np.moveaxis(tiled, 2, 0).reshape(4, grid.rows, -1)[..., : grid.width]


def field_of(values, grid):
    field = aligned_zeros(grid.rows * grid.tiles * FIELD_TILE)
    padded = np.zeros((4, grid.rows, grid.tiles * LANES), np.float32)
    padded[..., : grid.width] = values
    shape = (4, grid.rows, grid.tiles, LANES)
    field[:] = np.moveaxis(padded.reshape(shape), 0, 2).reshape(-1)
    return field


def test_tiles_hold_images_of_any_width():
    for shape in SHAPES:
        grid, values = make_grid(*shape), np.random.default_rng(0).random((2, *shape), np.float32)
        tiled = begun(values, grid)
        assert address(tiled) % 64 == 0
        assert np.array_equal(channels(tiled, 2, grid), values)
        assert np.count_nonzero(tiled) == np.count_nonzero(values)


def plain_relax(field, u, p, gamma):
    """The iteration in float64, straight from the formulas; u (C, H, W), p (C, 2, H, W)."""
    ix, iy, inverse, constant = field
    slope = np.stack([ix, iy, np.full_like(ix, gamma)])[: len(u)]
    rho = constant + (slope * u).sum(0)
    v = u + np.clip(-rho * inverse, -BOUND, BOUND) * slope
    divergence = p.sum(1)
    divergence[:, :, 1:] -= p[:, 0, :, :-1]
    divergence[:, 1:] -= p[:, 1, :-1]
    new = v + THETA * divergence
    gradient = np.zeros_like(p)
    gradient[:, 0, :, :-1] = np.diff(new, axis=2)
    gradient[:, 1, :-1] = np.diff(new, axis=1)
    length = np.linalg.norm(gradient, axis=1, keepdims=True)
    return new, (p + RATIO * gradient) / (1 + RATIO * length), ((new - u) ** 2).sum()


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_iterations_are_the_formulas(shape, count):
    """Five at once, with and without illumination term, against one after the other."""
    rng, grid = np.random.default_rng(1), make_grid(*shape)
    ix, iy = rng.normal(0, 20, (2, *shape))
    values = np.stack([ix, iy, 1 / (ix**2 + iy**2), rng.normal(0, 10, shape)])
    u, p = rng.normal(0, 1, (count, *shape)), np.zeros((count, 2, *shape))
    flow = [begun(u[:2].astype(np.float32), grid), dual_array(grid, 2)]
    shade = [begun(u[2:].astype(np.float32), grid), dual_array(grid, 1)] if count == 3 else []
    masks, field, errors = edge_masks(grid), field_of(values, grid), np.empty(5)
    case = (grid.rows, grid.tiles, address(masks), address(field))
    ends = [address(array) for array in (*flow, *(shade or [None, None]))]
    before = flow[0].copy()
    _relax(case, tuple(ends), (BOUND, THETA, RATIO, GAMMA), errors)
    expected = []
    for _ in range(5):
        u, p, error = plain_relax(values, u, p, GAMMA)
        expected.append(error)
    assert np.allclose(errors, expected, rtol=1e-4)
    assert np.abs(channels(flow[1], 2, grid) - u[:2]).max() < 1e-5
    if shade:
        assert np.abs(channels(shade[1], 1, grid) - u[2:]).max() < 1e-5
    assert np.array_equal(flow[0], before)


def test_iterations_in_place_are_the_same():
    rng, grid = np.random.default_rng(2), make_grid(21, 40)
    values = np.abs(rng.normal(1, 1, (4, 21, 40)))
    start = rng.normal(0, 1, (2, 21, 40)).astype(np.float32)
    source, target, alone = begun(start, grid), dual_array(grid, 2), begun(start, grid)
    masks, field = edge_masks(grid), field_of(values, grid)
    case = (grid.rows, grid.tiles, address(masks), address(field))
    constants = (BOUND, THETA, RATIO, GAMMA)
    _relax(case, (address(source), address(target), None, None), constants, np.empty(3))
    for _ in range(3):
        _relax(case, (address(alone), address(alone), None, None), constants, np.empty(1))
    assert target.tobytes() == alone.tobytes()


@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("shape", SHAPES)
def test_median_is_opencvs(shape, size):
    rng, grid = np.random.default_rng(3), make_grid(*shape)
    values = rng.integers(-9, 9, (2, *shape)).astype(np.float32) + rng.random(
        (2, *shape), np.float32
    )
    tiled, masks = begun(values, grid), edge_masks(grid)
    plane = aligned_zeros((grid.rows + 4) * (grid.tiles + 2) * LANES)
    ranks = aligned_zeros(5 * (grid.tiles + 2) * LANES)
    for channel in (U1, U2):
        arrays = address(tiled), channel, address(plane), address(ranks)
        _median(*arrays, grid, address(masks), size)
    for found, each in zip(channels(tiled, 2, grid), values, strict=True):
        assert np.array_equal(found, cv2.medianBlur(each, size))


def keys(t):
    """The cubic kernel of Keys (1981) with a = -0.75, at distance t."""
    t, a = np.abs(t), -0.75
    near = (a + 2) * t**3 - (a + 3) * t**2 + 1
    far = a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


def plain_sample(image, x, y):
    """Cubic look-up in float64 with zeros outside, every pixel weighed for every place."""
    rows, width = image.shape
    wy = keys(y[..., None] - np.arange(rows))
    wx = keys(x[..., None] - np.arange(width))
    return np.einsum("ijr,ijc,rc->ij", wy, wx, image)


@pytest.mark.parametrize("shape", [(2, 2), (9, 17), (24, 40)])
@pytest.mark.parametrize("reach", [0.0, 3.0, 300.0])
def test_linearisation_is_the_formulas(shape, reach):
    rng, grid = np.random.default_rng(4), make_grid(*shape)
    frame, other = rng.uniform(0, 255, (2, *shape)).astype(np.float32)
    u = rng.uniform(-reach, reach, (2, *shape)).astype(np.float32)
    tiled_frame = aligned_zeros(grid.rows * grid.tiles * LANES)
    image = aligned_zeros((grid.rows + 2 * MARGIN) * (grid.width + 2 * MARGIN) * 4)
    tile_image(frame, tiled_frame, grid)
    interleave(other, image, grid)
    field, masks, plan = field_of(0.0, grid), edge_masks(grid), plan_array(grid)
    arrays = [address(array) for array in (tiled_frame, image, begun(u, grid), field)]
    flow = begun(u, grid)
    arrays[2] = address(flow)
    _linearise(*arrays, grid, address(masks), address(plan))
    padded = np.pad(other.astype(np.float64), 1, mode="edge")
    gradient = [
        0.5 * (padded[1:-1, 2:] - padded[1:-1, :-2]),
        0.5 * (padded[2:, 1:-1] - padded[:-2, 1:-1]),
    ]
    y, x = np.mgrid[: shape[0], : shape[1]] + u[::-1].astype(np.float64)
    warped, ix, iy = (plain_sample(each, x, y) for each in (other, *gradient))
    found = planes(field, grid)
    assert np.abs(found[0] - ix).max() < 2e-3
    assert np.abs(found[1] - iy).max() < 2e-3
    square = np.maximum(found[0] ** 2 + found[1] ** 2, 1e-20)
    assert np.allclose(found[2] * square, 1, rtol=1e-5)
    constant = warped - ix * u[0] - iy * u[1] - frame
    assert np.abs(found[3] - constant).max() < 4e-3 * max(reach, 1.0)
