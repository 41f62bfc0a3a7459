"""Motion on fields whose description is known in closed form."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from mmx.experts.descriptors.motion import (
    DIRECTIONS,
    GLOBAL,
    WIDTH,
    Motion,
    boundaries,
    oriented,
    speeds,
    whole,
)

HEIGHT, WIDTH_PX = 48, 64


def field(function: Callable[[Tensor, Tensor], tuple[Any, Any]]) -> Tensor:
    """Flow (1, 2, H, W) from a function of x, y in pixels from the centre."""
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH_PX), indexing="ij")
    u, v = function(x - (WIDTH_PX - 1) / 2, y - (HEIGHT - 1) / 2)
    return torch.stack([u + 0 * x, v + 0 * y])[None].float()


def compressed(number: float) -> float:
    return math.copysign(math.log1p(abs(number)), number)


def test_no_movement_is_only_slow() -> None:
    described = Motion()(torch.zeros(1, 2, HEIGHT, WIDTH_PX))[0]
    assert described.shape == (WIDTH,)
    assert described.sum() == 10
    assert described.max() == 1


@pytest.mark.parametrize("step", range(DIRECTIONS))
def test_a_pan_fills_one_direction_by_its_magnitude(step: int) -> None:
    angle = 2 * math.pi * step / DIRECTIONS
    flow = field(lambda x, y: (3 * math.cos(angle) + 0 * x, 3 * math.sin(angle) + 0 * y))
    means = oriented(*flow.split(1, dim=1)).mean(dim=(2, 3))[0]
    assert means[step].item() == pytest.approx(math.log(4), rel=1e-5)
    assert means.sum().item() == pytest.approx(math.log(4), rel=1e-5)


def test_a_pan_has_no_boundaries() -> None:
    assert boundaries(field(lambda x, y: (5 + 0 * x, -3 + 0 * y))).abs().max() == 0


def test_the_edge_of_a_moving_thing_is_a_boundary_across_it() -> None:
    flow = field(lambda x, y: (4.0 * (x > 0), 0 * y))
    of_x, of_y = boundaries(flow).mean(dim=(2, 3))[0].split(DIRECTIONS)
    assert of_x.argmax() == 0
    assert of_x[1:].sum() == 0
    assert of_y.sum() == 0


@pytest.mark.parametrize(("speed", "bin"), [(0.0, 0), (20.0, 5), (28.0, 5)])
def test_speeds(speed: float, bin: int) -> None:
    shares = speeds(field(lambda x, y: (speed + 0 * x, 0 * y))).mean(dim=(2, 3))[0]
    assert shares[bin] == 1
    assert shares.sum() == 1


ACROSS, DOWN = 0.05 * 32 * 63 / 64, 0.05 * 24 * 47 / 48
"""Mean growth of a slope of 0.05 from the centre to the border; at the edges it is one-sided."""


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x, y: (2 + 0 * x, 0 * y), [2, 0, 0, 0, 0]),
        (lambda x, y: (0 * x, -3 + 0 * y), [0, -3, 0, 0, 0]),
        (lambda x, y: (0.05 * x, 0.05 * y), [0, 0, ACROSS + DOWN, 0, ACROSS - DOWN]),
        (lambda x, y: (-0.05 * y, 0.05 * x), [0, 0, 0, ACROSS + DOWN, 0]),
        (lambda x, y: (0.05 * x, -0.05 * y), [0, 0, ACROSS - DOWN, 0, ACROSS + DOWN]),
    ],
    ids=["pan right", "pan up", "zoom", "turn", "stretch"],
)
def test_the_movement_of_the_whole(function: Callable[..., Any], expected: list[float]) -> None:
    numbers = whole(field(function))[0, :5]
    assert numbers.tolist() == pytest.approx([*map(compressed, expected)], abs=1e-4)


def test_the_share_that_is_no_pan() -> None:
    assert whole(field(lambda x, y: (2 + 0 * x, 0 * y)))[0, -1] == 0
    half = whole(field(lambda x, y: (2.0 * (x > 0), 0 * y)))[0, -1]
    assert half.item() == pytest.approx(0.5, abs=0.01)


def test_values_are_bounded_for_the_wildest_flow() -> None:
    generator = torch.Generator().manual_seed(0)
    wild = 20 * torch.sign(torch.randn(2, 2, HEIGHT, WIDTH_PX, generator=generator))
    described = Motion()(wild)
    assert described.abs().max() < 6.5
    assert described[:, -GLOBAL:].isfinite().all()
