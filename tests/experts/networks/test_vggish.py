from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mmx.experts.networks.vggish import Postprocessor, VGGish, chain, flat_means

if TYPE_CHECKING:
    from tests.experts.networks.conftest import Shapes


STAGES = ((0,), (3,), (6, 8), (11, 13))


def reference(
    state: dict[str, Tensor],
    patches: Tensor,
    order: tuple[int, ...] = (0, 2, 3, 1),
    relu: bool = True,
) -> Tensor:
    """VGGish written out; `order` is how the last maps (N, C, H, W) are turned."""
    maps = patches
    for stage in STAGES:
        for layer in stage:
            weight, bias = (state[f"features.{layer}.{part}"] for part in ("weight", "bias"))
            maps = functional.conv2d(maps, weight, bias, padding=1).relu()
        maps = maps.unfold(2, 2, 2).unfold(3, 2, 2).amax(dim=(4, 5))
    vector = maps.permute(order).reshape(len(maps), -1)
    for layer in (0, 2, 4):
        vector = vector @ state[f"embeddings.{layer}.weight"].T + state[f"embeddings.{layer}.bias"]
        if layer < 4 or relu:
            vector = vector.relu()
    return vector


@pytest.fixture(scope="module")
def network() -> VGGish:
    return VGGish(relu=True)


def test_names_and_shapes_are_the_published_ones(
    network: VGGish, published: "Callable[[str], Shapes]", shapes: "Callable[[nn.Module], Shapes]"
) -> None:
    assert shapes(network) == published("vggish")


def test_equals_a_written_out_reference(
    network: VGGish,
    randomised: Callable[[nn.Module], dict[str, Tensor]],
    noise: Callable[..., Tensor],
    difference: Callable[[Tensor, Tensor], float],
) -> None:
    state, patches = randomised(network), noise(2, 1, 96, 64)
    assert difference(network(patches), reference(state, patches)) < 1e-5


def test_flattening_channels_first_would_give_other_values(
    network: VGGish,
    randomised: Callable[[nn.Module], dict[str, Tensor]],
    noise: Callable[..., Tensor],
    difference: Callable[[Tensor, Tensor], float],
) -> None:
    state, patches = randomised(network), noise(2, 1, 96, 64)
    mistaken = reference(state, patches, order=(0, 1, 2, 3))
    assert difference(network(patches), mistaken) > 0.1


def test_the_last_relu_is_a_switch(
    network: VGGish,
    randomised: Callable[[nn.Module], dict[str, Tensor]],
    noise: Callable[..., Tensor],
    difference: Callable[[Tensor, Tensor], float],
) -> None:
    state, patches = randomised(network), noise(2, 1, 96, 64)
    plain = VGGish(relu=False).eval()
    plain.load_state_dict(state)
    assert (plain(patches) < 0).any()
    assert torch.equal(network(patches), plain(patches).relu())
    assert difference(plain(patches), reference(state, patches, relu=False)) < 1e-5


@pytest.fixture
def pca(noise: Callable[..., Tensor]) -> tuple[Postprocessor, Tensor, Tensor]:
    """A post-processor with random parameters, its matrix E and means m."""
    matrix, means = noise(128, 128) / 10, noise(128)
    processor = Postprocessor(quantise=False)
    processor.load_state_dict({"pca_eigen_vectors": matrix, "pca_means": means})
    return processor, matrix, means


def test_pca_is_the_matrix_times_what_is_left_of_the_means(
    pca: tuple[Postprocessor, Tensor, Tensor],
    noise: Callable[..., Tensor],
    difference: Callable[[Tensor, Tensor], float],
) -> None:
    processor, matrix, means = pca
    rows = noise(5, 128) * 3
    expected = torch.stack([matrix @ (row - means) for row in rows])
    assert difference(processor(rows), expected) < 1e-5


def test_quantised_values_are_truncated_whole_numbers_of_the_clipped_range(
    pca: tuple[Postprocessor, Tensor, Tensor], noise: Callable[..., Tensor]
) -> None:
    processor, _, _ = pca
    quantised = Postprocessor(quantise=True)
    quantised.load_state_dict(processor.state_dict())
    rows = noise(50, 128) * 10
    exact = (processor(rows).clamp(-2, 2) + 2) * 63.75
    eight_bits = exact.numpy().astype("uint8")
    assert (quantised(rows).numpy() == eight_bits).all()
    assert eight_bits.min() == 0
    assert eight_bits.max() == 255
    assert (exact.round().numpy() != eight_bits).any()


def test_a_chain_runs_one_after_the_other(
    network: VGGish,
    randomised: Callable[[nn.Module], dict[str, Tensor]],
    noise: Callable[..., Tensor],
    pca: tuple[Postprocessor, Tensor, Tensor],
) -> None:
    randomised(network)
    processor, _, _ = pca
    patches = noise(2, 1, 96, 64)
    both = chain(network, processor)
    assert torch.equal(both(patches), processor(network(patches)))
    assert torch.equal(chain(network, None)(patches), network(patches))
    assert isinstance(both.get_submodule("postprocessor"), nn.Module)


def test_means_in_a_column_become_a_row() -> None:
    state = flat_means({"pca_means": torch.zeros(128, 1), "pca_eigen_vectors": torch.eye(128)})
    assert state["pca_means"].shape == (128,)
    assert state["pca_eigen_vectors"].shape == (128, 128)
