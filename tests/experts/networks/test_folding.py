"""Folded networks compute the same; what cannot be folded stays."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mmx.experts.networks.folding import NORMS, fold_norms
from mmx.experts.registry import get_expert

LEFT = {
    "lite_appearance": 0,
    "resnet18_places365": 0,
    "senet154": 0,
    "r2plus1d_34": 0,
    "densenet161_places365": 82,
    "i3d_flow": 57,
}
"""Batch norms that stay: those of DenseNet read several outputs side by side, and I3D's padding
depends on the input's size."""
SHAPES = {"r2plus1d_34": (3, 4, 32, 32), "i3d_flow": (2, 9, 193, 193)}


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, NORMS) for module in network.modules())


@pytest.mark.slow
@pytest.mark.parametrize("name", LEFT)
def test_a_folded_network_computes_the_same(
    name: str,
    randomised: Callable[[nn.Module], dict[str, Tensor]],
    noise: Callable[..., Tensor],
    difference: Callable[[Tensor, Tensor], float],
) -> None:
    network = get_expert(name).build()
    for weight, value in randomised(network).items():
        if name == "senet154" and weight.endswith("bn3.weight"):
            value *= 0.1  # else fifty residual blocks in a row amplify rounding without bound
    folded = fold_norms(copy.deepcopy(network))
    samples = noise(1, *SHAPES.get(name, (3, 33, 48)))
    with torch.inference_mode():
        assert difference(folded(samples), network(samples)) < 1e-5
    assert norms(folded) == LEFT[name] < norms(network) + (name == "i3d_flow")


class Net(nn.Module):
    def __init__(self, forward: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3)
        self.way = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.way(self, x)


@pytest.mark.parametrize(
    ("way", "left"),
    [
        (lambda net, x: net.b(net.norm(net.a(x))), 0),
        (lambda net, x: net.norm(net.a(x).relu()), 1),
        (lambda net, x: net.norm(y := net.a(x)) + y, 1),
        (lambda net, x: net.norm(net.a(net.a(x))), 1),
        (lambda net, x: net.norm(net.b(net.norm(net.a(x)))), 1),
        (lambda net, x: net.norm(net.a(x) + net.b(x)), 1),
    ],
    ids=["alone", "relu-between", "read-twice", "conv-twice", "norm-twice", "sum-before"],
)
def test_only_what_alone_reads_a_convolution_is_folded(
    way: Callable[..., Any],
    left: int,
    randomised: Callable[[nn.Module], dict[str, Tensor]],
    noise: Callable[..., Tensor],
    difference: Callable[[Tensor, Tensor], float],
) -> None:
    network = Net(way)
    randomised(network)
    folded = fold_norms(copy.deepcopy(network))
    samples = noise(2, 3, 9, 9)
    with torch.inference_mode():
        assert difference(folded(samples), network(samples)) < 1e-6
    assert norms(folded) == left


def test_a_batch_norm_of_each_batchs_own_statistics_stays(
    randomised: Callable[[nn.Module], dict[str, Tensor]], noise: Callable[..., Tensor]
) -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, track_running_stats=False))
    randomised(network)
    samples = noise(2, 3, 9, 9)
    expected = network(samples)
    assert torch.equal(fold_norms(network)(samples), expected)


def test_a_network_without_batch_norm_is_left_alone() -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU())
    assert fold_norms(network) is network
