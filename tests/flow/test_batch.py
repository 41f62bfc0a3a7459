"""The PyTorch version, on the CPU, against the compiled solver, OpenCV and known motion."""

import numpy as np
import pytest
import torch

from mmx.flow.batch import _resize, tvl1_batch
from mmx.flow.parameters import TVL1Params
from mmx.flow.tvl1 import TVL1
from mmx.flow.tvl1 import _resize as resize_by_opencv


def batch(pairs, params=None):
    prev, next_ = (torch.from_numpy(np.stack(frames)) for frames in zip(*pairs, strict=True))
    return tvl1_batch(prev, next_, params or TVL1Params()).numpy()


def frames(moving):
    return moving.prev, moving.next


def mixed(kit, rows=56, width=75):
    """Pairs that stop at very different times, a still one among them."""
    return [
        frames(kit.translation(rows, width, 0.0, 0.0)),
        frames(kit.translation(rows, width, 0.5, -0.5)),
        frames(kit.rotation(rows, width, 3.0)),
        frames(kit.occlusion(rows, width)),
        frames(kit.translation(rows, width, 4.0, 1.0)),
    ]


def test_flows_are_the_compiled_solvers_and_opencvs(kit):
    pairs = mixed(kit)
    solver = TVL1(*pairs[0][0].shape)
    compiled, expected = [], []
    for flow, pair in zip(batch(pairs), pairs, strict=True):
        compiled.append(kit.end_point_error(flow, solver.flow(*pair)).mean())
        expected.append(kit.end_point_error(flow, kit.opencv(*pair)).mean())
    for errors in (compiled, expected):
        assert np.median(errors) < 0.01
        assert max(errors) < 0.05


PARAMS = {
    "illumination": TVL1Params(gamma=0.3, warps=2),
    "small median": TVL1Params(median_filtering=3, warps=2),
    "no median": TVL1Params(median_filtering=1, warps=2),
    "all others": TVL1Params(
        tau=0.2, lambda_=0.3, theta=0.2, scale_step=0.5, warps=1, epsilon=0.02
    ),
}


@pytest.mark.parametrize("name", PARAMS)
def test_parameters_mean_the_same(kit, name):
    pair = frames(kit.occlusion(48, 60))
    flow = batch([pair], PARAMS[name])[0]
    assert kit.end_point_error(flow, TVL1(48, 60, PARAMS[name]).flow(*pair)).mean() < 0.01


def test_a_pair_does_not_depend_on_its_neighbours(kit):
    pairs = mixed(kit, 40, 50)
    together = batch(pairs)
    for flow, pair in zip(together, pairs, strict=True):
        assert np.abs(flow - batch([pair])[0]).max() < 1e-3
    assert not together[0].any()


def test_translation_is_found(kit):
    moving = kit.translation(112, 150, 2.0, -1.0)
    error = kit.end_point_error(batch([frames(moving)])[0], moving.truth)[16:-16, 16:-16]
    assert error.mean() < 0.03


def test_equal_input_gives_equal_bytes(kit):
    pairs = mixed(kit, 30, 40)
    assert batch(pairs).tobytes() == batch(pairs).tobytes()


@pytest.mark.parametrize("shape", [(2, 2), (3, 30), (16, 16), (17, 33)])
def test_any_size_and_any_picture_gives_numbers(shape):
    noise = np.random.default_rng(7).integers(0, 256, (2, 2, *shape), dtype=np.uint8)
    flow = batch(list(noise))
    assert flow.shape == (2, *shape, 2)
    assert np.isfinite(flow).all()


def test_floating_frames_are_the_same_as_8_bits(kit):
    pair = frames(kit.translation(32, 40, 1.0, 0.0))
    scaled = [frame.astype(np.float32) / 255 for frame in pair]
    assert np.abs(batch([pair]) - batch([scaled])).max() < 0.02


@pytest.mark.parametrize(("size", "step"), [((38, 52), 0.75), ((70, 91), None), ((20, 33), None)])
def test_resize_is_opencvs(size, step):
    images = np.random.default_rng(8).uniform(-9, 9, (2, 50, 70)).astype(np.float32)
    found = _resize(torch.from_numpy(images), size, step).numpy()
    assert np.abs(found - resize_by_opencv(images, size, step)).max() < 1e-4


def test_what_is_no_stack_of_pairs_is_refused():
    frames = torch.zeros(2, 20, 30)
    for bad in (frames[0], frames[:, :1], frames[:1]):
        with pytest.raises(ValueError, match="two stacks"):
            tvl1_batch(bad, frames)
    with pytest.raises(ValueError, match="two stacks"):
        tvl1_batch(frames[:, :1], frames[:, :1])
