"""The compiled parts of a scale against plain formulas and other libraries."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from numba import njit

from mmx.flow.median import median_array, median_filter
from mmx.flow.planes import (
    FIELD,
    Grid,
    aligned_zeros,
    begin_dual,
    block_size,
    dual_array,
    edge_masks,
    make_grid,
    read_dual,
    write_image,
)
from mmx.flow.relaxation import Case, relax
from mmx.flow.rounding import length_bounds
from mmx.flow.simd import (
    PART,
    Address,
    exact_length,
    load_part,
    splat_part,
    store,
)
from mmx.flow.stopping import Stop, stop_at
from mmx.flow.warp import MARGIN, interleave, linearise, plan_array

SHAPES = [(5, 3), (16, 16), (37, 53), (20, 33)]
EPSILON = np.finfo(np.float32).eps
NEVER = Stop(np.float32(-1.0), -1.0, -1.0)
"""No sum of squares is that small."""
BOUND, THETA, RATIO, GAMMA = (np.float32(value) for value in (0.045, 0.3, 0.25 / 0.3, 0.4))


@njit
def _relax(
    case: tuple[Grid, Address, Address, Address, Address | None],
    constants: tuple[np.float32, ...],
    space: tuple[Address, Address],
    most: int,
    stop: Stop,
    errors: np.ndarray,
    rows: np.ndarray,
) -> tuple[int, bool]:
    bound, theta, ratio, gamma = constants
    vectors = splat_part(bound), splat_part(theta), splat_part(ratio), splat_part(gamma)
    return relax(Case(*case, *vectors, *space), most, stop, errors, rows)


@njit
def _median(flow: Address, work: Address, grid: Grid, masks: Address, size: int) -> None:
    median_filter(flow, work, grid, masks, size)


@njit
def _linearise(
    frame: Address,
    image: Address,
    flow: Address,
    field: Address,
    grid: Grid,
    masks: Address,
    plan: Address,
) -> None:
    linearise(frame, image, flow, field, grid, masks, plan, BOUND)


@njit
def _lengths(
    x: Address, y: Address, low: Address, high: Address, exact: Address, count: int
) -> None:
    for at in range(0, count, PART):
        bounds = length_bounds(load_part(x, at), load_part(y, at))
        store(low, at, bounds[0])
        store(high, at, bounds[1])
        store(exact, at, exact_length(load_part(x, at), load_part(y, at)))


def address(array: np.ndarray) -> Address:
    return None if array is None else array.ctypes.data


def begun(values: np.ndarray, grid: Grid) -> np.ndarray:
    tiled = dual_array(grid, len(values))
    begin_dual(values, tiled, grid)
    return tiled


def channels(tiled: np.ndarray, count: int, grid: Grid) -> np.ndarray:
    values = np.empty((count, grid.rows, grid.width), np.float32)
    read_dual(tiled, values, grid)
    return values


def planes(field: np.ndarray, grid: Grid) -> np.ndarray:
    """The field's five planes (5, rows, width)."""
    block = block_size.py_func(grid)
    blocks = field.reshape(grid.rows, -1, FIELD, block)
    return np.moveaxis(blocks, 2, 0).reshape(FIELD, grid.rows, -1)[..., : grid.width]


def field_of(values: np.ndarray | float, grid: Grid) -> np.ndarray:
    field = aligned_zeros(grid.rows * FIELD * grid.span)
    padded = np.zeros((FIELD, grid.rows, grid.span), np.float32)
    padded[3] = np.inf
    padded[..., : grid.width] = values
    blocks = padded.reshape(FIELD, grid.rows, -1, block_size.py_func(grid))
    field[:] = np.moveaxis(blocks, 0, 2).reshape(-1)
    return field


def test_planes_hold_images_of_any_width() -> None:
    for shape in SHAPES:
        grid, values = make_grid(*shape), np.random.default_rng(0).random((2, *shape), np.float32)
        tiled = begun(values, grid)
        assert address(tiled) % 64 == 0
        assert np.array_equal(channels(tiled, 2, grid), values)
        assert np.count_nonzero(tiled) == np.count_nonzero(values)


def plain_divergence(p: np.ndarray) -> np.ndarray:
    """In OpenCV's order of additions; p (2, H, W)."""
    px, py = p
    above = np.pad(py, ((1, 0), (0, 0)))[:-1]
    result: np.ndarray = (px - np.pad(px, ((0, 0), (1, 0)))[:, :-1]) + (py - above)
    result[:, 0] = (px[:, 0] + py[:, 0]) - above[:, 0]
    return result


def plain_relax(
    field: np.ndarray, u: np.ndarray, p: np.ndarray, gamma: np.float32
) -> tuple[np.ndarray, np.ndarray, np.float32]:
    """The iteration in float32, operation by operation as in OpenCV's source.

    u (C, H, W), p (C, 2, H, W); returns both anew, and the sum of squared changes.
    """
    ix, iy, limit, square, constant = field
    slope = np.stack([ix, iy, np.full_like(ix, gamma)])[: len(u)]
    rho = constant + (ix * u[0] + iy * u[1])
    if len(u) == 3:
        rho = rho + gamma * u[2]
    share = np.divide(-rho, square, out=np.zeros_like(rho), where=np.isfinite(square))
    v = u + np.where(rho < -limit, BOUND, np.where(rho > limit, -BOUND, share)) * slope
    new = v + THETA * np.stack([plain_divergence(each) for each in p])
    gradient = np.zeros_like(p)
    gradient[:, 0, :, :-1] = np.diff(new, axis=2)
    gradient[:, 1, :-1] = np.diff(new, axis=1)
    length = np.sqrt((gradient.astype(np.float64) ** 2).sum(1, keepdims=True)).astype(np.float32)
    change = (new - u) * (new - u)
    error = change[0] + change[1] if len(u) == 2 else change[0] + change[1] + change[2]
    return new, (p + RATIO * gradient) / (1 + RATIO * length), np.cumsum(error)[-1]


def plain_iterations(
    values: np.ndarray, u: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """u after so many iterations from p = 0, and their sums."""
    p, errors = np.zeros((len(u), 2, *u.shape[1:]), np.float32), []
    for _ in range(count):
        u, p, error = plain_relax(values, u, p, GAMMA)
        errors.append(error)
    return u, np.array(errors)


def iterations(
    values: np.ndarray, u: np.ndarray, grid: Grid, most: int, stop: Stop
) -> tuple[np.ndarray, np.ndarray]:
    """u1, u2 (and u3) that the compiled iterations lead to from p = 0, and the errors."""
    flow = begun(u[:2], grid)
    shade = begun(u[2:], grid) if len(u) == 3 else None
    masks, field = edge_masks(grid), field_of(values, grid)
    changes, pending = aligned_zeros(grid.rows * grid.span), np.zeros(grid.parts, np.int32)
    lit = None if shade is None else address(shade)
    case = grid, address(masks), address(field), address(flow), lit
    errors, rows = np.empty(most), np.empty(most, np.int64)
    constants = (BOUND, THETA, RATIO, GAMMA)
    n, _ = _relax(case, constants, (address(changes), address(pending)), most, stop, errors, rows)
    found = channels(flow, 2, grid)
    if shade is not None:
        found = np.concatenate([found, channels(shade, 1, grid)])
    return found, errors[:n]


def random_values(shape: tuple[int, int], seed: int) -> np.ndarray:
    """Five planes of a field; a few pixels have no gradient, or hardly any."""
    rng = np.random.default_rng(seed)
    ix, iy = rng.normal(0, 20, (2, *shape)).astype(np.float32)
    ix[::5, ::3], iy[::5, ::3] = 0, rng.choice([0, 1e-5, 1e-3], ix[::5, ::3].shape)
    square = ix * ix + iy * iy
    divisor = np.where(square > EPSILON, square, np.float32(np.inf))
    return np.stack([ix, iy, BOUND * square, divisor, rng.normal(0, 10, shape).astype(np.float32)])


def random_flow(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_iterations_are_the_formulas_to_the_bit(shape: tuple[int, int], count: int) -> None:
    """With and without illumination term; those of the compiled code are under way together."""
    values, grid, u = random_values(shape, 1), make_grid(*shape), random_flow((count, *shape), 2)
    found, errors = iterations(values, u, grid, 20, NEVER)
    expected, sums = plain_iterations(values, u, 20)
    assert np.array_equal(found, expected)
    assert np.allclose(errors, sums, rtol=1e-4)


@pytest.mark.parametrize("stopping", [1, 2, 5, 17, 40])
def test_iterations_stop_by_opencvs_sum(stopping: int) -> None:
    """None too many and none too few, however many of them are in progress at once.

    The sum that decides is that of one float32 after the other, not any better one.
    """
    shape = (37, 40)
    values, grid, u = random_values(shape, 7), make_grid(*shape), random_flow((2, *shape), 4)
    _, sums = plain_iterations(values, u, 50)
    assert (np.diff(sums) < 0).all()
    last = sums[stopping - 1]
    for value, count in ((last, stopping), (np.nextafter(last, np.float32(0)), stopping + 1)):
        found, errors = iterations(values, u, grid, 50, stop_at(value, grid.rows * grid.width))
        assert len(errors) == count
        assert np.array_equal(found, plain_iterations(values, u, count)[0])


def test_a_sum_of_very_many_pixels_is_always_added_in_order() -> None:
    assert stop_at(1.0, 2**25) == Stop(np.float32(1.0), 0.0, np.inf)


def lengths(x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Both bounds of the length, and what float64 gives."""
    count = -(-len(x) // PART) * PART
    planes = [aligned_zeros(count) for _ in range(5)]
    planes[0][: len(x)], planes[1][: len(x)] = x, y
    a, b, low, high, exact = map(address, planes)
    _lengths(a, b, low, high, exact, count)
    return [plane[: len(x)] for plane in planes[2:]]


def test_lengths_are_rounded_as_by_float64() -> None:
    """Of all magnitudes, and of the sides 3k and 4k: 5k lies in the middle between two numbers."""
    rng = np.random.default_rng(5)
    x = (rng.normal(0, 1, 300_000) * 2.0 ** rng.integers(-40, 20, 300_000)).astype(np.float32)
    y = x[rng.permutation(len(x))]
    y[::2] = x[::2] * rng.normal(0, 1, len(x[::2])).astype(np.float32)
    y[::50] = 0
    middle = np.arange(3355445, 4194303, 2 * 13)
    for a, b, share in ((x, y, 1e-3), (3 * middle, 4 * middle, 1.0)):
        low, high, exact = lengths(a.astype(np.float32), b.astype(np.float32))
        expected = np.sqrt(a.astype(np.float64) ** 2 + b.astype(np.float64) ** 2)
        equal = low == high
        seen = equal & (expected > 2.0**-50)
        assert np.array_equal(exact, expected.astype(np.float32))
        assert np.array_equal(low[seen], exact[seen])
        between = (np.minimum(low, high) <= exact) & (exact <= np.maximum(low, high))
        assert between[expected > 2.0**-50].all()
        assert 1 - equal.mean() <= share
        assert low[expected <= 2.0**-50].max(initial=0) < 2.0**-49


@pytest.mark.slow
@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("shape", SHAPES)
def test_median_is_opencvs(shape: tuple[int, int], size: int) -> None:
    rng, grid = np.random.default_rng(3), make_grid(*shape)
    values = rng.integers(-9, 9, (2, *shape)).astype(np.float32) + rng.random(
        (2, *shape), np.float32
    )
    values[0][rng.random(shape) < 0.7] *= np.float32(1e-41)
    tiled, masks, work = begun(values, grid), edge_masks(grid), median_array(grid)
    _median(address(tiled), address(work), grid, address(masks), size)
    for found, each in zip(channels(tiled, 2, grid), values, strict=True):
        assert np.array_equal(found, cv2.medianBlur(each, size))


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(2, 2), (9, 17), (24, 40)])
@pytest.mark.parametrize("reach", [0.0, 1e-30, 3.0, 300.0])
def test_linearisation_is_opencvs_to_the_bit(
    kit: SimpleNamespace, shape: tuple[int, int], reach: float
) -> None:
    kit.need_avx2()
    rng, grid = np.random.default_rng(4), make_grid(*shape)
    frame, other = rng.uniform(0, 255, (2, *shape)).astype(np.float32)
    u = rng.uniform(-reach, reach, (2, *shape)).astype(np.float32)
    plane = aligned_zeros(grid.rows * grid.span)
    image = aligned_zeros((grid.rows + 2 * MARGIN) * (grid.width + 2 * MARGIN) * 4)
    write_image(frame, plane, grid)
    interleave(other, image, grid)
    flow, field = begun(u, grid), field_of(0.0, grid)
    masks, plan = edge_masks(grid), plan_array(grid)
    first, second, moved, linear = map(address, (plane, image, flow, field))
    _linearise(first, second, moved, linear, grid, address(masks), address(plan))
    padded, half = np.pad(other, 1, mode="edge"), np.float32(0.5)
    gradient = [
        half * (padded[1:-1, 2:] - padded[1:-1, :-2]),
        half * (padded[2:, 1:-1] - padded[:-2, 1:-1]),
    ]
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) + u[::-1]
    warped, ix, iy = (cv2.remap(each, x, y, cv2.INTER_CUBIC) for each in (other, *gradient))
    square = ix * ix + iy * iy
    divisor = np.where(square > EPSILON, square, np.float32(np.inf))
    expected = [ix, iy, BOUND * square, divisor, warped - ix * u[0] - iy * u[1] - frame]
    for found, plane in zip(planes(field, grid), expected, strict=True):
        assert np.array_equal(found, plane)
