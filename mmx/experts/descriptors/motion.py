"""How a picture moves, from one flow image, without training.

Histograms of flow by direction, and of its spatial change (motion boundaries), both weighted by
magnitude (Dalal et al. 2006), over a grid; the distribution of magnitudes; and eight numbers of the
movement of the whole: pan, zoom, rotation, stretch, standard deviation, and the share that is not
pan.
"""

import torch
from torch import Tensor, nn

from mmx.experts.descriptors.binning import circular_bins, direction, gradients, pyramid, soft_bins

DIRECTIONS, MAGNITUDES = 8, 6
CELLS = (1, 3)
"""Cells a side at the levels of the grid."""
FASTEST = 20.0
"""The flow's bound, in its own unit: magnitudes above share the last bin."""
GLOBAL = 8
WIDTH = (3 * DIRECTIONS + MAGNITUDES) * sum(side * side for side in CELLS) + GLOBAL
"""308."""


class Motion(nn.Module):
    """Flow in pixels (B, 2, H, W), 0 where nothing moves, to (B, 308)."""

    def forward(self, flow: Tensor) -> Tensor:
        """Describe a batch of flow images."""
        maps = torch.cat([oriented(*flow.split(1, dim=1)), speeds(flow), boundaries(flow)], dim=1)
        return torch.cat([pyramid(maps, CELLS).flatten(1), whole(flow)], dim=1)


def oriented(x: Tensor, y: Tensor) -> Tensor:
    """Distribute log(1 + magnitude) of vectors, each part (B, 1, H, W), over 8 directions."""
    return circular_bins(direction(x, y), DIRECTIONS) * torch.log1p(magnitude(x, y))


def magnitude(x: Tensor, y: Tensor) -> Tensor:
    """Return the length of the vectors (x, y)."""
    return (x.square() + y.square()).sqrt()


def speeds(flow: Tensor) -> Tensor:
    """Return shares of magnitudes in 6 bins of logarithmic width (B, 6, H, W)."""
    fastest = torch.log1p(flow.new_tensor(FASTEST))
    speed = torch.log1p(magnitude(*flow.split(1, dim=1))) / fastest
    return soft_bins(speed.clamp_max(1), MAGNITUDES)


def boundaries(flow: Tensor) -> Tensor:
    """Return the directions in which each component of the flow changes (B, 16, H, W)."""
    x, y = gradients(flow)
    return torch.cat([oriented(x[:, i : i + 1], y[:, i : i + 1]) for i in (0, 1)], dim=1)


def whole(flow: Tensor) -> Tensor:
    """Return (B, 8): pan (2), zoom, rotation, stretch, deviation (2), the share of energy not pan.

    Zoom, rotation and stretch are movements at the border against the centre. All but the last are
    compressed by sign(x) log(1 + |x|).
    """
    x, y = gradients(flow)
    pan, deviation = flow.mean(dim=(2, 3)), flow.std(dim=(2, 3), correction=0)
    width, height = flow.shape[3] / 2, flow.shape[2] / 2
    du, dv = x.mean(dim=(2, 3)) * width, y.mean(dim=(2, 3)) * height
    turn = x[:, 1].mean(dim=(1, 2)) * width - y[:, 0].mean(dim=(1, 2)) * height
    affine = torch.stack([du[:, 0] + dv[:, 1], turn, du[:, 0] - dv[:, 1]], dim=1)
    numbers = torch.cat([pan, affine, deviation], dim=1)
    total = flow.square().mean(dim=(1, 2, 3))
    rest = deviation.square().mean(dim=1) / (total + 0.01)
    return torch.cat([numbers.sign() * torch.log1p(numbers.abs()), rest[:, None]], dim=1)
