"""NetVLAD against its definition, one vector and one cluster at a time."""

import pytest
import torch
from torch import Tensor

from mmx.model.netvlad import NetVLAD

WIDTH, CLUSTERS = 5, 4


def make(ghosts: int = 0, batch_norm: bool = False) -> NetVLAD:
    torch.manual_seed(0)
    module = NetVLAD(WIDTH, CLUSTERS, ghosts, batch_norm).double().eval()
    if batch_norm:
        module.get_buffer("norm.running_mean").normal_()
        module.get_buffer("norm.running_var").uniform_(0.5, 2)
    else:
        module.get_parameter("bias").data.normal_()
    return module


@pytest.fixture
def runs() -> list[Tensor]:
    generator = torch.Generator().manual_seed(4)
    counts = [3, 1, 7, 3, 2]
    return [torch.randn(n, WIDTH, generator=generator, dtype=torch.float64) for n in counts]


def pool(module: NetVLAD, runs: list[Tensor]) -> Tensor:
    pooled: Tensor = module(torch.cat(runs), torch.tensor([len(run) for run in runs]))
    return pooled


def pool_naively(module: NetVLAD, run: Tensor) -> Tensor:
    """One clip: softmax, residual sums, two normalisations."""
    vlad = torch.zeros(WIDTH, CLUSTERS, dtype=torch.float64)
    for x in run:
        scores = x @ module.clusters
        if module.norm is None:
            scores = scores + module.get_parameter("bias")
        else:
            spread = (module.get_buffer("norm.running_var") + module.norm.eps).sqrt()
            scores = (scores - module.get_buffer("norm.running_mean")) / spread
        weights = scores.exp() / scores.exp().sum()
        for k in range(CLUSTERS):
            vlad[:, k] += weights[k] * (x - module.centres[:, k])
    for k in range(CLUSTERS):
        vlad[:, k] /= vlad[:, k].norm()
    flat = torch.stack([vlad[d, k] for d in range(WIDTH) for k in range(CLUSTERS)])
    unit: Tensor = flat / flat.norm()
    return unit


@pytest.mark.parametrize("ghosts", [0, 2])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_pooling_is_its_definition(ghosts: int, batch_norm: bool, runs: list[Tensor]) -> None:
    module = make(ghosts, batch_norm)
    expected = torch.stack([pool_naively(module, run) for run in runs])
    torch.testing.assert_close(pool(module, runs), expected, atol=1e-12, rtol=1e-12)


def test_the_order_of_a_clips_vectors_does_not_matter(runs: list[Tensor]) -> None:
    module = make()
    turned = [run.flip(0) for run in runs]
    torch.testing.assert_close(pool(module, turned), pool(module, runs), atol=1e-12, rtol=1e-12)


def test_a_clip_does_not_depend_on_longer_ones_beside_it(runs: list[Tensor]) -> None:
    module = make()
    together = pool(module, runs)
    for place, run in enumerate(runs):
        torch.testing.assert_close(pool(module, [run])[0], together[place], atol=1e-12, rtol=0)


def test_ghosts_take_part_in_the_assignment(runs: list[Tensor]) -> None:
    with_ghosts = make(ghosts=2)
    without = make()
    without.load_state_dict(
        {
            "clusters": with_ghosts.clusters[:, :CLUSTERS],
            "centres": with_ghosts.centres,
            "bias": with_ghosts.get_parameter("bias")[:CLUSTERS],
        }
    )
    assert with_ghosts.out_features == without.out_features == WIDTH * CLUSTERS
    assert (pool(with_ghosts, runs) - pool(without, runs)).abs().max() > 1e-3


def test_gradients_are_those_of_differences(runs: list[Tensor]) -> None:
    module = make(ghosts=1)
    counts = torch.tensor([len(run) for run in runs])
    vectors = torch.cat(runs).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: module(x, counts), [vectors], atol=1e-6)
