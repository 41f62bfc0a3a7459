"""The compiled parts of a scale against plain formulas and other libraries."""

import cv2
import numpy as np
import pytest
from numba import njit

from mmx.flow.median import median_array, median_filter
from mmx.flow.relaxation import Case, relax
from mmx.flow.simd import LANES, splat
from mmx.flow.tiles import (
    FIELD_TILE,
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
def _relax(case, constants, most, stop, errors, rows):
    vectors = splat(constants[0]), splat(constants[1]), splat(constants[2]), splat(constants[3])
    return relax(Case(*case, *vectors), most, stop, errors, rows)


@njit
def _median(flow, work, grid, masks, size):
    median_filter(flow, work, grid, masks, size)


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


def iterations(values, u, grid, most, stop):
    """u1, u2 (and u3) that the compiled iterations lead to from p = 0, and the errors."""
    flow = begun(u[:2].astype(np.float32), grid)
    shade = begun(u[2:].astype(np.float32), grid) if len(u) == 3 else None
    masks, field = edge_masks(grid), field_of(values, grid)
    case = (grid.rows, grid.tiles, *map(address, (masks, field, flow, shade)))
    errors, rows = np.empty(most), np.empty(most, np.int64)
    n = _relax(case, (BOUND, THETA, RATIO, GAMMA), most, stop, errors, rows)
    found = channels(flow, 2, grid)
    if shade is not None:
        found = np.concatenate([found, channels(shade, 1, grid)])
    return found, errors[:n]


def random_values(shape, seed):
    rng = np.random.default_rng(seed)
    ix, iy = rng.normal(0, 20, (2, *shape))
    return np.stack([ix, iy, 1 / (ix**2 + iy**2), rng.normal(0, 10, shape)])


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_iterations_are_the_formulas(shape, count):
    """With and without illumination term; those of the compiled code are under way together."""
    values, grid = random_values(shape, 1), make_grid(*shape)
    u = np.random.default_rng(2).normal(0, 1, (count, *shape))
    p = np.zeros((count, 2, *shape))
    found, errors = iterations(values, u, grid, 5, 0.0)
    expected = []
    for _ in range(5):
        u, p, error = plain_relax(values, u, p, GAMMA)
        expected.append(error)
    assert np.allclose(errors, expected, rtol=1e-4)
    assert np.abs(found - u).max() < 1e-5


@pytest.mark.parametrize("stopping", [1, 2, 5, 17, 40])
def test_iterations_stop_at_the_first_below_the_rule(stopping):
    """None too many and none too few, however many of them are under way at once."""
    values, grid = random_values((37, 40), 3), make_grid(37, 40)
    u = np.random.default_rng(4).normal(0, 1, (2, 37, 40))
    _, errors = iterations(values, u, grid, 50, 0.0)
    assert (np.diff(errors) < 0).all()
    expected, _ = iterations(values, u, grid, stopping, 0.0)
    for stop in (errors[stopping - 1], errors[stopping - 1] * 1.0001):
        found, some = iterations(values, u, grid, 50, stop)
        assert np.array_equal(some, errors[:stopping])
        assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("shape", SHAPES)
def test_median_is_opencvs(shape, size):
    rng, grid = np.random.default_rng(3), make_grid(*shape)
    values = rng.integers(-9, 9, (2, *shape)).astype(np.float32) + rng.random(
        (2, *shape), np.float32
    )
    tiled, masks, work = begun(values, grid), edge_masks(grid), median_array(grid)
    _median(address(tiled), address(work), grid, address(masks), size)
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
