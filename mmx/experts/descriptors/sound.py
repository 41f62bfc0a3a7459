"""Statistics of a patch of sound, from its log-mel spectrogram, without training."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 128
"""64 means, 32 deviations, 32 mean changes."""

_QUIET = math.log(0.01)
"""The log-mel value of silence."""
_SCALE = 4.6
"""Divisor with which music lies between 0 and 2."""


class MelStatistics(nn.Module):
    """Log-mel patches (B, 1, frames, 64) to (B, 128): level, liveliness and rhythm per band."""

    def forward(self, patches: Tensor) -> Tensor:
        """Describe a batch of patches; silence is all zeros."""
        bands = (patches[:, 0] - _QUIET) / _SCALE
        level = bands.mean(dim=1)
        deviation = bands.std(dim=1, correction=0)
        change = bands.diff(dim=1).abs().mean(dim=1)
        return torch.cat([level, pairs(deviation), 4 * pairs(change)], dim=1)


def pairs(bands: Tensor) -> Tensor:
    """Return the means of neighbouring bands: (B, 64) to (B, 32)."""
    return functional.avg_pool1d(bands[:, None], 2)[:, 0]
