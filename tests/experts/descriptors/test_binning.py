"""Soft histograms: whatever is counted is counted once, by the two nearest bins."""

import math

import pytest
import torch
from torch import Tensor

from mmx.experts.descriptors.binning import (
    circular_bins,
    direction,
    gradients,
    over_cells,
    pyramid,
    soft_bins,
)


def column(*values: float) -> Tensor:
    return torch.tensor(values).reshape(1, 1, -1, 1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, [1, 0, 0, 0, 0]),
        (1.0, [0, 0, 0, 0, 1]),
        (0.5, [0, 0, 1, 0, 0]),
        (0.3, [0, 0.8, 0.2, 0, 0]),
    ],
)
def test_a_value_is_shared_by_its_neighbours(value: float, expected: list[float]) -> None:
    assert soft_bins(column(value), 5).ravel().tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        (0.0, [1, 0, 0, 0]),
        (1.0, [1, 0, 0, 0]),
        (-0.25, [0, 0, 0, 1]),
        (0.9, [0.6, 0, 0, 0.4]),
        (1.1, [0.6, 0.4, 0, 0]),
    ],
)
def test_directions_go_round(turns: float, expected: list[float]) -> None:
    assert circular_bins(column(turns), 4).ravel().tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("bins", [2, 5, 12])
def test_every_value_counts_once(bins: int) -> None:
    values = torch.rand(2, 1, 9, 7, generator=torch.Generator().manual_seed(0))
    ones = torch.ones(2, 9, 7)
    torch.testing.assert_close(soft_bins(values, bins).sum(1), ones)
    if bins > 2:
        torch.testing.assert_close(circular_bins(3 * values - 1, bins).sum(1), ones)


def test_direction_is_in_turns() -> None:
    angles = direction(torch.tensor([1.0, 0.0, -1.0, 0.0]), torch.tensor([0.0, 1.0, 0.0, -1.0]))
    assert angles.tolist() == pytest.approx([0, 0.25, 0.5, -0.25])


def test_gradients_of_a_ramp() -> None:
    y, x = torch.meshgrid(torch.arange(5.0), torch.arange(6.0), indexing="ij")
    along, down = gradients((3 * x - 2 * y)[None, None])
    assert (along[..., 1:-1] == 3).all()
    assert (along[..., 0] == 1.5).all()
    assert (down[:, :, 1:-1] == -2).all()
    assert (down[:, :, -1] == -1).all()


def test_cells_and_pyramid_are_means() -> None:
    maps = torch.rand(1, 2, 8, 12, generator=torch.Generator().manual_seed(0))
    cells = pyramid(maps, (1, 2))
    assert cells.shape == (1, 2, 5)
    torch.testing.assert_close(cells[..., 0], maps.mean(dim=(2, 3)))
    torch.testing.assert_close(cells[..., 2], maps[:, :, :4, 6:].mean(dim=(2, 3)))
    assert math.isclose(over_cells(maps, 4)[0, 1, 3, 0], maps[0, 1, 6:, :3].mean(), rel_tol=1e-6)
