from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mmx.experts.networks.r2plus1d import R2Plus1D34

if TYPE_CHECKING:
    from tests.experts.networks.conftest import Shapes


State = dict[str, Tensor]


def norm(state: State, name: str, volume: Tensor, eps: float) -> Tensor:
    scale = state[f"{name}.weight"] / torch.sqrt(state[f"{name}.running_var"] + eps)
    shift = state[f"{name}.bias"] - state[f"{name}.running_mean"] * scale
    return volume * scale[:, None, None, None] + shift[:, None, None, None]


def factored(state: State, prefix: str, volume: Tensor, stride: int, eps: float) -> Tensor:
    """Space, norm, ReLU, then time: frame by frame, and pixel by pixel."""
    spatial = state[f"{prefix}.0.weight"].squeeze(2)
    frames = [
        functional.conv2d(frame, spatial, stride=stride, padding=spatial.shape[-1] // 2)
        for frame in volume.unbind(2)
    ]
    volume = norm(state, f"{prefix}.1", torch.stack(frames, 2), eps).relu()
    temporal = state[f"{prefix}.3.weight"].flatten(2)
    batch, channels, time, height, width = volume.shape
    lines = volume.permute(0, 3, 4, 1, 2).reshape(-1, channels, time)
    lines = functional.conv1d(lines, temporal, stride=stride, padding=1)
    lines = lines.reshape(batch, height, width, *lines.shape[1:])
    return lines.permute(0, 3, 4, 1, 2)


def block(state: State, prefix: str, volume: Tensor, stride: int, eps: float) -> Tensor:
    inner = factored(state, f"{prefix}.conv1.0", volume, stride, eps)
    inner = norm(state, f"{prefix}.conv1.1", inner, eps).relu()
    inner = factored(state, f"{prefix}.conv2.0", inner, 1, eps)
    inner = norm(state, f"{prefix}.conv2.1", inner, eps)
    if f"{prefix}.downsample.0.weight" in state:
        weight = state[f"{prefix}.downsample.0.weight"]
        volume = functional.conv3d(volume, weight, stride=stride)
        volume = norm(state, f"{prefix}.downsample.1", volume, eps)
    return (inner + volume).relu()


def reference(state: State, frames: Tensor, eps: float = 1e-3) -> Tensor:
    """R(2+1)D-34 in two and one dimensions. The stem strides space only."""
    spatial = state["stem.0.weight"].squeeze(2)
    maps = [functional.conv2d(f, spatial, stride=2, padding=3) for f in frames.unbind(2)]
    volume = norm(state, "stem.1", torch.stack(maps, 2), eps).relu()
    volume = functional.conv3d(volume, state["stem.3.weight"], padding=(1, 0, 0))
    volume = norm(state, "stem.4", volume, eps).relu()
    for layer, blocks in ((1, 3), (2, 4), (3, 6), (4, 3)):
        for index in range(blocks):
            stride = 2 if layer > 1 and index == 0 else 1
            volume = block(state, f"layer{layer}.{index}", volume, stride, eps)
    return volume.mean(dim=(2, 3, 4))


@pytest.fixture(scope="module")
def network() -> R2Plus1D34:
    return R2Plus1D34()


def test_names_and_shapes_are_the_published_ones(
    network: R2Plus1D34,
    published: "Callable[[str], Shapes]",
    shapes: "Callable[[nn.Module], Shapes]",
) -> None:
    assert shapes(network) == published("r2plus1d_34")


def test_the_second_convolution_of_a_layer_has_the_trained_midplanes(
    network: R2Plus1D34, shapes: "Callable[[nn.Module], Shapes]"
) -> None:
    found = shapes(network)
    for layer, trained, torchvision in ((2, 288, 230), (3, 576, 460), (4, 1152, 921)):
        assert found[f"layer{layer}.0.conv1.0.0.weight"][0] == torchvision
        assert found[f"layer{layer}.0.conv2.0.0.weight"][0] == trained
        assert found[f"layer{layer}.1.conv2.0.0.weight"][0] == trained


@pytest.mark.slow
def test_equals_a_written_out_reference_at_odd_sizes_and_lengths(
    network: R2Plus1D34,
    randomised: Callable[[nn.Module], dict[str, Tensor]],
    noise: Callable[..., Tensor],
    difference: Callable[[Tensor, Tensor], float],
) -> None:
    state = randomised(network)
    for shape in ((8, 32, 32), (5, 37, 45), (1, 33, 16)):
        frames = noise(2, 3, *shape)
        assert difference(network(frames), reference(state, frames)) < 1e-5


def test_torchs_own_epsilon_would_give_other_values(
    network: R2Plus1D34,
    randomised: Callable[[nn.Module], dict[str, Tensor]],
    noise: Callable[..., Tensor],
    difference: Callable[[Tensor, Tensor], float],
) -> None:
    frames = noise(1, 3, 5, 33, 33)
    mistaken = partial(reference, eps=1e-5)
    assert difference(network(frames), mistaken(randomised(network), frames)) > 1e-3


@pytest.mark.parametrize("classes", [359, 487])
def test_the_heads_of_ig65m_fit_too(classes: int) -> None:
    assert R2Plus1D34(classes).state_dict()["fc.weight"].shape == (classes, 512)
