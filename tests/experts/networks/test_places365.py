from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import timm
from torch import Tensor, nn

from mmx.experts.networks.places365 import (
    Places365DenseNet161,
    Places365ResNet18,
    densenet_name,
)

if TYPE_CHECKING:
    from tests.experts.networks.conftest import Shapes


NETWORKS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "resnet18": (Places365ResNet18, 512),
    "densenet161": (Places365DenseNet161, 2208),
}


@pytest.fixture(params=NETWORKS)
def pair(
    request: pytest.FixtureRequest, randomised: Callable[[nn.Module], dict[str, Tensor]]
) -> tuple[nn.Module, Any, int]:
    """Ours, timm's network of the same weights without its head, and the width."""
    build, width = NETWORKS[request.param]
    ours = build()
    theirs: nn.Module = timm.create_model(request.param, pretrained=False, num_classes=365).eval()
    theirs.load_state_dict(randomised(ours))
    return ours, theirs, width


@pytest.mark.slow
def test_equals_timm_under_the_same_state(
    pair: tuple[nn.Module, Any, int],
    noise: Callable[..., Tensor],
    difference: Callable[[Tensor, Tensor], float],
) -> None:
    ours, theirs, width = pair
    for size in ((224, 224), (75, 97)):
        images = noise(2, 3, *size)
        features = theirs.forward_head(theirs.forward_features(images), pre_logits=True)
        assert features.shape == (2, width)
        assert difference(ours(images), features) < 1e-5


def test_the_head_of_365_places_is_there_to_be_loaded(
    pair: tuple[nn.Module, Any, int], shapes: "Callable[[nn.Module], Shapes]"
) -> None:
    ours, theirs, width = pair
    head = "fc" if width == 512 else "classifier"
    assert shapes(ours) == shapes(theirs)
    assert shapes(ours)[f"{head}.weight"] == (365, width)


def test_old_densenet_names_become_todays() -> None:
    renames = {
        "features.denseblock1.denselayer1.norm.1.weight": (
            "features.denseblock1.denselayer1.norm1.weight"
        ),
        "features.denseblock4.denselayer24.conv.2.weight": (
            "features.denseblock4.denselayer24.conv2.weight"
        ),
        "features.transition1.norm.weight": "features.transition1.norm.weight",
        "features.norm0.running_var": "features.norm0.running_var",
        "classifier.bias": "classifier.bias",
    }
    assert {old: densenet_name(old) for old in renames} == renames


def test_old_names_of_every_layer_are_found_again(shapes: "Callable[[nn.Module], Shapes]") -> None:
    names = set(shapes(Places365DenseNet161()))
    layer = ".denselayer"
    old = {
        n.replace("norm1", "norm.1")
        .replace("norm2", "norm.2")
        .replace("conv1", "conv.1")
        .replace("conv2", "conv.2")
        if layer in n
        else n
        for n in names
    }
    assert len(old - names) == 78 * 12
    assert {densenet_name(name) for name in old} == names
