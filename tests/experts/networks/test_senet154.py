from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mmx.experts.networks.senet154 import SENet154

if TYPE_CHECKING:
    from tests.experts.networks.conftest import Shapes


State = dict[str, Tensor]
GROUPS = 64


def norm(state: State, name: str, maps: Tensor) -> Tensor:
    """Batch norm from its definition, with torch's epsilon."""
    scale = state[f"{name}.weight"] / torch.sqrt(state[f"{name}.running_var"] + 1e-5)
    shift = state[f"{name}.bias"] - state[f"{name}.running_mean"] * scale
    return maps * scale[:, None, None] + shift[:, None, None]


def unit(state: State, prefix: str, part: int, maps: Tensor, **options: Any) -> Tensor:
    maps = functional.conv2d(maps, state[f"{prefix}.conv{part}.weight"], **options)
    return norm(state, f"{prefix}.bn{part}", maps)


def excite(state: State, prefix: str, maps: Tensor) -> Tensor:
    """Squeeze by the mean, two dense layers with bias, scale each channel."""
    squeezed = maps.mean(dim=(2, 3))
    for layer, act in ((1, torch.relu), (2, torch.sigmoid)):
        weight = state[f"{prefix}.se_module.fc{layer}.weight"].flatten(1)
        squeezed = act(squeezed @ weight.T + state[f"{prefix}.se_module.fc{layer}.bias"])
    return maps * squeezed[:, :, None, None]


def block(state: State, prefix: str, maps: Tensor, stride: int) -> Tensor:
    inner = unit(state, prefix, 1, maps).relu()
    inner = unit(state, prefix, 2, inner, stride=stride, padding=1, groups=GROUPS).relu()
    inner = excite(state, prefix, unit(state, prefix, 3, inner))
    if f"{prefix}.downsample.0.weight" in state:
        weight = state[f"{prefix}.downsample.0.weight"]
        maps = functional.conv2d(maps, weight, stride=stride, padding=weight.shape[-1] // 2)
        maps = norm(state, f"{prefix}.downsample.1", maps)
    return (inner + maps).relu()


def reference(state: State, images: Tensor) -> Tensor:
    """SENet154 written out from the paper's table and the published names."""
    maps = unit(state, "layer0", 1, images, stride=2, padding=1).relu()
    maps = unit(state, "layer0", 2, maps, padding=1).relu()
    maps = unit(state, "layer0", 3, maps, padding=1).relu()
    maps = functional.max_pool2d(maps, 3, 2, ceil_mode=True)
    for layer, blocks in ((1, 3), (2, 8), (3, 36), (4, 3)):
        for index in range(blocks):
            stride = 2 if layer > 1 and index == 0 else 1
            maps = block(state, f"layer{layer}.{index}", maps, stride)
    return maps.mean(dim=(2, 3))


@pytest.fixture(scope="module")
def network() -> SENet154:
    return SENet154()


def test_names_and_shapes_are_the_published_ones(
    network: SENet154, published: "Callable[[str], Shapes]", shapes: "Callable[[nn.Module], Shapes]"
) -> None:
    assert shapes(network) == published("senet154")


@pytest.mark.slow
def test_equals_a_written_out_reference(
    network: SENet154,
    randomised: Callable[[nn.Module], dict[str, Tensor]],
    noise: Callable[..., Tensor],
    difference: Callable[[Tensor, Tensor], float],
) -> None:
    state = randomised(network)
    for name, value in state.items():
        if name.endswith("bn3.weight"):
            value *= 0.1  # else fifty residual blocks in a row amplify rounding without bound
    for size in ((64, 64), (67, 93)):
        images = noise(2, 3, *size)
        assert difference(network(images), reference(state, images)) < 1e-5


@pytest.mark.slow
def test_an_image_of_224_gives_2048_values_before_the_head(
    network: SENet154,
    randomised: Callable[[nn.Module], dict[str, Tensor]],
    noise: Callable[..., Tensor],
) -> None:
    randomised(network)
    assert network(noise(1, 3, 224, 224)).shape == (1, 2048)
