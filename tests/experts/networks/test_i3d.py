import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from mmx.experts.networks.i3d import I3D, SamePool3d, Unit3d, i3d_name, same_padding

if TYPE_CHECKING:
    from tests.experts.networks.conftest import Shapes

pytestmark = pytest.mark.slow


State = dict[str, Tensor]
Start = Callable[[int, int, int], tuple[int, int]]
"""(size, kernel, stride) to how many windows, and where the first begins."""
MIXED = ("3b", "3c", "4b", "4c", "4d", "4e", "4f", "5b", "5c")


def same_start(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's rule, by counting: where the first window begins (0 or less)."""
    outputs = len(range(0, size, stride))
    spare = max((outputs - 1) * stride + kernel - size, 0)
    return outputs, -(spare // 2)


def symmetric_start(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """The common mistake: the padding that a stride of 1 would need, split evenly at any size."""
    pad = (kernel - 1) // 2
    return (size + 2 * pad - kernel) // stride + 1, -pad


def taps(
    volume: Tensor, kernel: Sequence[int], stride: Sequence[int], start: Start, outside: float
) -> Iterator[tuple[tuple[int, ...], Tensor]]:
    """For each tap of a kernel, the values that it sees, one per output position."""
    axes = []
    for size, k, s in zip(volume.shape[2:], kernel, stride, strict=True):
        outputs, first = start(size, k, s)
        axes.append([[first + o * s + tap for o in range(outputs)] for tap in range(k)])
    for t, y, x in itertools.product(*(range(k) for k in kernel)):
        chosen = volume
        for axis, places in zip((2, 3, 4), (axes[0][t], axes[1][y], axes[2][x]), strict=True):
            chosen = pick(chosen, axis, places, outside)
        yield (t, y, x), chosen


def pick(volume: Tensor, axis: int, places: list[int], outside: float) -> Tensor:
    """Index an axis; a place outside of it reads `outside`."""
    index = torch.tensor(places)
    inside = (index >= 0) & (index < volume.shape[axis])
    if bool(inside.all()) and places == list(range(volume.shape[axis])):
        return volume
    shape = [-1 if a == axis else 1 for a in range(volume.ndim)]
    chosen = volume.index_select(axis, index.clamp(0, volume.shape[axis] - 1))
    return torch.where(inside.reshape(shape), chosen, outside)


def convolve(volume: Tensor, weight: Tensor, stride: Sequence[int], start: Start) -> Tensor:
    total = torch.zeros(())
    for (t, y, x), seen in taps(volume, weight.shape[2:], stride, start, 0.0):
        total = total + torch.einsum("oi,bithw->bothw", weight[:, :, t, y, x], seen)
    return total


def pool(volume: Tensor, kernel: Sequence[int], stride: Sequence[int], start: Start) -> Tensor:
    seen = (values for _, values in taps(volume, kernel, stride, start, -torch.inf))
    best = next(seen)
    for values in seen:
        best = torch.maximum(best, values)
    return best


def unit(
    state: State, name: str, volume: Tensor, stride: int = 1, *, start: Start, eps: float
) -> Tensor:
    volume = convolve(volume, state[f"{name}.conv3d.weight"], (stride,) * 3, start)
    scale = state[f"{name}.bn.weight"] / torch.sqrt(state[f"{name}.bn.running_var"] + eps)
    shift = state[f"{name}.bn.bias"] - state[f"{name}.bn.running_mean"] * scale
    return (volume * scale[:, None, None, None] + shift[:, None, None, None]).relu()


def reference(state: State, stack: Tensor, start: Start = same_start, eps: float = 1e-3) -> Tensor:
    """I3D, one tap of one kernel at a time, from TensorFlow's definition of SAME."""
    layer = partial(unit, state, start=start, eps=eps)
    volume = layer("Conv3d_1a_7x7", stack, 2)
    volume = pool(volume, (1, 3, 3), (1, 2, 2), start)
    volume = layer("Conv3d_2c_3x3", layer("Conv3d_2b_1x1", volume))
    volume = pool(volume, (1, 3, 3), (1, 2, 2), start)
    for block in MIXED:
        name = f"Mixed_{block}"
        if block == "4b":
            volume = pool(volume, (3, 3, 3), (2, 2, 2), start)
        if block == "5b":
            volume = pool(volume, (2, 2, 2), (2, 2, 2), start)
        pooled = pool(volume, (3, 3, 3), (1, 1, 1), start)
        branches = (
            layer(f"{name}.b0", volume),
            layer(f"{name}.b1b", layer(f"{name}.b1a", volume)),
            layer(f"{name}.b2b", layer(f"{name}.b2a", volume)),
            layer(f"{name}.b3b", pooled),
        )
        volume = torch.cat(branches, 1)
    windows = (volume[:, :, :-1] + volume[:, :, 1:]) / 2
    spaces = windows.unfold(3, 7, 1).unfold(4, 7, 1).mean(dim=(5, 6))
    return spaces.mean(dim=(2, 3, 4))


@pytest.fixture(scope="module")
def flow() -> I3D:
    return I3D(channels=2)


@pytest.mark.parametrize("channels", [2, 3])
def test_names_and_shapes_are_the_published_ones(
    channels: int, published: "Callable[[str], Shapes]", shapes: "Callable[[nn.Module], Shapes]"
) -> None:
    expected = published("i3d_piergiaj_flow")
    expected["Conv3d_1a_7x7.conv3d.weight"] = (64, channels, 7, 7, 7)
    assert shapes(I3D(channels)) == expected


def test_the_other_published_layout_is_a_renaming(published: "Callable[[str], Shapes]") -> None:
    ours, other = published("i3d_piergiaj_flow"), published("i3d_hassony2_flow")
    assert {i3d_name(name): shape for name, shape in other.items()} == ours
    assert {i3d_name(name): shape for name, shape in ours.items()} == ours


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(9, 193, 193), (10, 198, 227)])
def test_equals_a_tap_by_tap_reference(
    shape: tuple[int, int, int],
    flow: I3D,
    randomised: Callable[[nn.Module], dict[str, Tensor]],
    noise: Callable[..., Tensor],
    difference: Callable[[Tensor, Tensor], float],
) -> None:
    state, stack = randomised(flow), noise(1, 2, *shape).clamp(-1, 1)
    assert difference(flow(stack), reference(state, stack)) < 1e-5


@pytest.mark.parametrize("size", [*range(1, 12), 223, 224, 225])
@pytest.mark.parametrize(("kernel", "stride"), [(7, 2), (3, 2), (3, 1), (2, 2), (1, 1)])
def test_padding_is_tensorflows(size: int, kernel: int, stride: int) -> None:
    outputs, first = same_start(size, kernel, stride)
    before, after = same_padding(size, kernel, stride)
    assert before == -first
    assert (size + before + after - kernel) // stride + 1 == outputs


def test_at_the_trained_size_the_first_layer_is_padded_unevenly() -> None:
    assert same_padding(224, 7, 2) == (2, 3)
    assert same_padding(225, 7, 2) == (3, 3)
    assert same_padding(64, 7, 2) == (2, 3)


def test_even_padding_would_give_other_values(
    randomised: Callable[[nn.Module], dict[str, Tensor]],
    noise: Callable[..., Tensor],
    difference: Callable[[Tensor, Tensor], float],
) -> None:
    layer, volume = Unit3d(2, 4, 7, 2), noise(1, 2, 8, 12, 14)
    state = {f"unit.{name}": value for name, value in randomised(layer).items()}
    right = unit(state, "unit", volume, 2, start=same_start, eps=1e-3)
    mistaken = unit(state, "unit", volume, 2, start=symmetric_start, eps=1e-3)
    assert difference(layer(volume), right) < 1e-5
    assert difference(layer(volume), mistaken) > 0.1


def test_a_pool_never_sees_its_padding(
    noise: Callable[..., Tensor], difference: Callable[[Tensor, Tensor], float]
) -> None:
    volume = noise(1, 3, 5, 7, 10).abs()
    for kernel, stride in (((1, 3, 3), (1, 2, 2)), ((3, 3, 3), (2, 2, 2)), ((2, 2, 2), (2, 2, 2))):
        ours = SamePool3d(kernel, stride)(volume)
        assert difference(ours, pool(volume, kernel, stride, same_start)) == 0


def test_torchs_own_epsilon_would_give_other_values(
    randomised: Callable[[nn.Module], dict[str, Tensor]],
    noise: Callable[..., Tensor],
    difference: Callable[[Tensor, Tensor], float],
) -> None:
    layer, volume = Unit3d(2, 4, 3), noise(1, 2, 4, 5, 5)
    state = {f"unit.{name}": value for name, value in randomised(layer).items()}
    mistaken = unit(state, "unit", volume, start=same_start, eps=1e-5)
    assert difference(layer(volume), mistaken) > 1e-4


def test_the_end_positions_in_time_weigh_half(
    flow: I3D,
    randomised: Callable[[nn.Module], dict[str, Tensor]],
    noise: Callable[..., Tensor],
    difference: Callable[[Tensor, Tensor], float],
) -> None:
    randomised(flow)
    maps = []
    last = flow.get_submodule("Mixed_5c")
    hook = last.register_forward_hook(lambda module, given, out: maps.append(out))
    feature = flow(noise(1, 2, 17, 193, 193).clamp(-1, 1))
    hook.remove()
    steps = maps[0].mean(dim=(3, 4))
    assert steps.shape[2] == 3
    weighted = (steps[..., 0] + 2 * steps[..., 1] + steps[..., 2]) / 4
    assert difference(feature, weighted) < 1e-5
    assert difference(feature, steps.mean(2)) > 1e-4


@pytest.mark.parametrize("shape", [(8, 224, 224), (64, 192, 224), (64, 224, 192)])
def test_less_than_the_pool_needs_is_refused(flow: I3D, shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="9 frames of 193 x 193"):
        flow(torch.zeros(1, 2, *shape))
