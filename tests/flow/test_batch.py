"""The PyTorch version, on the CPU, against the compiled solver, OpenCV and known motion."""

from collections.abc import Sequence
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from mmx.flow.batch import tvl1_batch
from mmx.flow.dual_tvl1 import TVL1
from mmx.flow.dual_tvl1 import _resize as resize_by_opencv
from mmx.flow.parameters import TVL1Params
from mmx.flow.tensors import fused, resize


def batch(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]], params: TVL1Params | None = None
) -> np.ndarray:
    prev, next_ = (torch.from_numpy(np.stack(frames)) for frames in zip(*pairs, strict=True))
    return tvl1_batch(prev, next_, params or TVL1Params()).numpy()


def frames(moving: Any) -> tuple[np.ndarray, np.ndarray]:
    return moving.prev, moving.next


def mixed(
    kit: SimpleNamespace, rows: int = 56, width: int = 75
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs that stop at very different times, a still one among them."""
    return [
        frames(kit.translation(rows, width, 0.0, 0.0)),
        frames(kit.translation(rows, width, 0.5, -0.5)),
        frames(kit.rotation(rows, width, 3.0)),
        frames(kit.occlusion(rows, width)),
        frames(kit.translation(rows, width, 4.0, 1.0)),
    ]


@pytest.mark.slow
def test_flows_are_opencvs_to_the_bit(kit: SimpleNamespace) -> None:
    pairs = mixed(kit)
    for flow, pair in zip(batch(pairs), pairs, strict=True):
        assert np.array_equal(flow, kit.opencv(*pair))


PARAMS = {
    "illumination": TVL1Params(gamma=0.3, warps=2),
    "small median": TVL1Params(median_filtering=3, warps=2),
    "no median": TVL1Params(median_filtering=1, warps=2),
    "all others": TVL1Params(
        tau=0.2, lambda_=0.3, theta=0.2, scale_step=0.5, warps=1, epsilon=0.02
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PARAMS)
def test_parameters_mean_the_same(kit: SimpleNamespace, name: str) -> None:
    pair = frames(kit.occlusion(48, 60))
    flow = batch([pair], PARAMS[name])[0]
    assert np.array_equal(flow, TVL1(48, 60, PARAMS[name]).flow(*pair))


@pytest.mark.slow
def test_a_pair_does_not_depend_on_its_neighbours(kit: SimpleNamespace) -> None:
    pairs = mixed(kit, 40, 50)
    together = batch(pairs)
    for flow, pair in zip(together, pairs, strict=True):
        assert np.array_equal(flow, batch([pair])[0])
    assert not together[0].any()


@pytest.mark.slow
def test_translation_is_found(kit: SimpleNamespace) -> None:
    moving = kit.translation(112, 150, 2.0, -1.0)
    error = kit.end_point_error(batch([frames(moving)])[0], moving.truth)[16:-16, 16:-16]
    assert error.mean() < 0.03


@pytest.mark.slow
def test_equal_input_gives_equal_bytes(kit: SimpleNamespace) -> None:
    pairs = mixed(kit, 30, 40)
    assert batch(pairs).tobytes() == batch(pairs).tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(2, 2), (3, 30), (16, 16), (17, 33)])
def test_any_size_and_any_picture_gives_numbers(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(7).integers(0, 256, (2, 2, *shape), dtype=np.uint8)
    flow = batch(list(noise))
    assert flow.shape == (2, *shape, 2)
    assert np.isfinite(flow).all()


def test_floating_frames_are_the_same_as_8_bits(kit: SimpleNamespace) -> None:
    pair = frames(kit.translation(32, 40, 1.0, 0.0))
    prev, next_ = (frame.astype(np.float32) / 255 for frame in pair)
    assert np.abs(batch([pair]) - batch([(prev, next_)])).max() < 0.02


@pytest.mark.parametrize(
    ("size", "step"),
    [((38, 52), 0.75), ((40, 56), 0.8), ((25, 35), 0.5), ((70, 91), None), ((63, 88), None)],
)
def test_resize_is_opencvs_to_the_bit(size: tuple[int, int], step: float | None) -> None:
    images = np.random.default_rng(8).uniform(-9, 9, (2, 50, 70)).astype(np.float32)
    found = resize(torch.from_numpy(images), size, step).numpy()
    assert np.array_equal(found, resize_by_opencv(images, size, step))


def test_fused_rounds_once() -> None:
    """Against exact fractions, where float64 drops what decides between two float32 numbers."""
    ulp = 2.0**-23
    cases = [(1.0 + ulp, 1.0 - ulp, 2.0**24 + 2), (ulp - 1.0, 1.0 + ulp, -(2.0**24) - 2)]
    rng = np.random.default_rng(9)
    cases += [
        (1.0 + a * ulp, 1.0 + b * ulp, sign * 2.0**power)
        for a, b in rng.integers(1, 2**23, (500, 2)).tolist()
        for sign, power in ((1, 24), (-1, 24), (1, 0), (1, 29))
    ]
    a, b, c = (torch.tensor(each, dtype=torch.float32) for each in zip(*cases, strict=True))
    for found, (x, y, z) in zip(fused(a, b, c).numpy(), cases, strict=True):
        exact = Fraction(x) * Fraction(y) + Fraction(z)
        others = [np.nextafter(found, np.float32(end)) for end in (-np.inf, np.inf)]
        error, *more = (abs(Fraction(float(each)) - exact) for each in (found, *others))
        assert error <= min(more)


def test_what_is_no_stack_of_pairs_is_refused() -> None:
    frames = torch.zeros(2, 20, 30)
    for bad in (frames[0], frames[:, :1], frames[:1]):
        with pytest.raises(ValueError, match="two stacks"):
            tvl1_batch(bad, frames)
    with pytest.raises(ValueError, match="two stacks"):
        tvl1_batch(frames[:, :1], frames[:, :1])
