"""Published key lists, random weights and one comparison, for the tests of the networks."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

DATA = Path(__file__).parents[1] / "data"
NORM = ("weight", "bias", "running_mean", "running_var")
TOLERANCE = 1e-5
"""Largest difference, relative to the largest value."""

Shapes = dict[str, tuple[int, ...]]


def expand(line: str) -> Shapes:
    """`name norm 64`, `name plain 64x3x3x3` or `name biased 10x64`: its tensors and shapes."""
    name, kind, size = line.split()
    shape = tuple(map(int, size.split("x")))
    if kind == "norm":
        return {f"{name}.{part}": shape for part in NORM} | {f"{name}.num_batches_tracked": ()}
    bias = {f"{name}.bias": shape[:1]} if kind == "biased" else {}
    return {f"{name}.weight": shape, **bias}


@pytest.fixture
def published() -> Callable[[str], Shapes]:
    """Reads a published list of names and shapes; its first line says how many there are."""

    def read(name: str) -> Shapes:
        first, *lines = (DATA / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        shapes = {key: shape for line in lines for key, shape in expand(line).items()}
        assert len(shapes) == int(first.split()[1])
        return shapes

    return read


@pytest.fixture
def shapes() -> Callable[[nn.Module], Shapes]:
    return lambda network: {k: tuple(v.shape) for k, v in network.state_dict().items()}


@pytest.fixture
def randomised() -> Callable[[nn.Module], dict[str, Tensor]]:
    """Fills a network with seeded weights under which activations keep their size."""

    def fill(network: nn.Module) -> dict[str, Tensor]:
        network.eval().requires_grad_(False)
        generator = torch.Generator().manual_seed(7)
        state = network.state_dict()
        for name, value in state.items():
            if name.endswith("num_batches_tracked"):
                continue
            if value.ndim > 1:
                fan_in = math.prod(value.shape[1:])
                value.normal_(0, math.sqrt(2 / fan_in), generator=generator)
            elif name.endswith(("weight", "running_var")):
                value.uniform_(0.5, 1.5, generator=generator)
            else:
                value.normal_(0, 0.1, generator=generator)
        return state

    return fill


@pytest.fixture
def difference() -> Callable[[Tensor, Tensor], float]:
    """Largest difference of two tensors, relative to the largest value."""

    def compare(ours: Tensor, theirs: Tensor) -> float:
        assert ours.shape == theirs.shape
        assert torch.isfinite(theirs).all()
        assert theirs.std() > 0
        return ((ours - theirs).abs().max() / theirs.abs().max()).item()

    return compare


@pytest.fixture
def noise() -> Callable[..., Tensor]:
    """Seeded normal input of a shape."""

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=torch.Generator().manual_seed(3))

    return draw
