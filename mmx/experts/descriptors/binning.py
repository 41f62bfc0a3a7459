"""Soft histograms over a grid of cells: shared by the descriptors without training.

A value counts for the two bins nearest to it, in proportion; so a small change of the picture is a
small change of the vector, and nothing depends on the order in which pixels are visited.
"""

import torch
from torch import Tensor
from torch.nn import functional


def soft_bins(values: Tensor, bins: int) -> Tensor:
    """Distribute values (B, 1, H, W) in [0, 1] over `bins` centres from 0 to 1: (B, bins, H, W)."""
    centres = torch.arange(bins, device=values.device).reshape(1, -1, 1, 1)
    return (1 - (values * (bins - 1) - centres).abs()).clamp_min(0)


def circular_bins(turns: Tensor, bins: int) -> Tensor:
    """Distribute angles (B, 1, H, W), in turns, over `bins` directions: (B, bins, H, W)."""
    centres = torch.arange(bins, device=turns.device).reshape(1, -1, 1, 1)
    distance = (turns * bins - centres).remainder(bins)
    return (1 - torch.minimum(distance, bins - distance)).clamp_min(0)


def direction(x: Tensor, y: Tensor) -> Tensor:
    """Return the angle of (x, y), in turns."""
    return torch.atan2(y, x) / (2 * torch.pi)


def gradients(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return central differences (x, y) of (B, C, H, W), edges repeated, each (B, C, H, W)."""
    wide = functional.pad(image, (1, 1, 1, 1), mode="replicate")
    x = (wide[:, :, 1:-1, 2:] - wide[:, :, 1:-1, :-2]) / 2
    y = (wide[:, :, 2:, 1:-1] - wide[:, :, :-2, 1:-1]) / 2
    return x, y


def over_cells(maps: Tensor, grid: int) -> Tensor:
    """Return the means of (B, C, H, W) over grid x grid cells: (B, C, grid, grid)."""
    return functional.adaptive_avg_pool2d(maps, grid)


def pyramid(maps: Tensor, grids: tuple[int, ...]) -> Tensor:
    """Return the means of (B, C, H, W) over the cells of several grids: (B, C, cells)."""
    return torch.cat([over_cells(maps, grid).flatten(2) for grid in grids], dim=2)
