"""Layout and colour of a picture, without training.

Three parts: histograms of hue, saturation and value over a spatial pyramid (Lazebnik et al. 2006);
the energy of edges by orientation and scale over a grid, after GIST (Oliva and Torralba 2001); and
a very small picture. Each value is in [0, 1].
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmx.experts.descriptors.binning import (
    circular_bins,
    direction,
    gradients,
    over_cells,
    pyramid,
    soft_bins,
)

HUES, SATURATIONS, VALUES = 12, 4, 6
CELLS = (1, 2, 4)
"""Cells a side at the levels of the pyramid."""
ORIENTATIONS, SCALES, EDGE_GRID = 8, 3, 4
SMALL = 4
"""Pixels a side of the small picture."""
WIDTH = (
    (HUES + SATURATIONS + VALUES) * sum(side * side for side in CELLS)
    + SCALES * ORIENTATIONS * EDGE_GRID**2
    + 3 * SMALL**2
)
"""894."""

_FAINT = 0.02
"""A gradient too small to have a meaningful orientation."""


class Layout(nn.Module):
    """RGB in [0, 1] (B, 3, H, W) to (B, 894)."""

    def forward(self, images: Tensor) -> Tensor:
        """Describe a batch of pictures."""
        parts = [colours(images), edges(images), over_cells(images, SMALL).flatten(1)]
        return torch.cat(parts, dim=1)


def colours(images: Tensor) -> Tensor:
    """Return roots of the histograms of hue, saturation and value over the pyramid (B, 462).

    A pixel counts for its hue as much as it has saturation and value.
    """
    hue, saturation, value = hsv(images)
    maps = (
        circular_bins(hue, HUES) * saturation * value,
        soft_bins(saturation, SATURATIONS),
        soft_bins(value, VALUES),
    )
    return pyramid(torch.cat(maps, dim=1), CELLS).sqrt().flatten(1)


def edges(images: Tensor) -> Tensor:
    """Return the roots of the edges' share by orientation, per scale and cell (B, 384)."""
    gray = images.mean(dim=1, keepdim=True)
    energies = []
    for _ in range(SCALES):
        x, y = gradients(gray)
        strength = (x.square() + y.square()).sqrt()
        oriented = circular_bins(2 * direction(x, y), ORIENTATIONS) * strength
        cells = over_cells(oriented, EDGE_GRID)
        energies.append(cells / (cells.sum(dim=1, keepdim=True) + _FAINT))
        gray = functional.avg_pool2d(gray, 2)
    return torch.cat(energies, dim=1).sqrt().flatten(1)


def hsv(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return hue (in turns), saturation and value of RGB in [0, 1], each (B, 1, H, W)."""
    value, smallest = images.amax(1, keepdim=True), images.amin(1, keepdim=True)
    chroma = value - smallest
    red, green, blue = images.split(1, dim=1)
    divisor = chroma.clamp_min(1e-12)
    sector = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    saturation = torch.where(value > 0, chroma / value.clamp_min(1e-12), chroma)
    return (sector / 6).remainder(1), saturation, value
