"""Small functions that several modules share."""

from itertools import pairwise

import torch
from torch import Tensor, nn


def linear_for_relu(inner: int, outer: int) -> nn.Linear:
    """A linear layer with the initialisation of He et al., which keeps the variance of signals.

    The default of torch divides the variance by six with every layer and its ReLU, so that the
    initial logits of two trailers differ by a thousandth only.
    """
    layer = nn.Linear(inner, outer)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer


def mlp(*widths: int, last: bool) -> nn.Sequential:
    """Linear layers of these widths with ReLU between them, and after the last if `last`."""
    layers: list[nn.Module] = []
    for inner, outer in pairwise(widths):
        layers += [linear_for_relu(inner, outer), nn.ReLU()]
    return nn.Sequential(*(layers if last else layers[:-1]))


@torch.no_grad()
def start_equal(weight: Tensor, positions: int) -> None:
    """Initialise a linear layer on a concatenation of equal parts with equal weights for each part.

    The layer starts as a sum over positions and learns from there what depends on the position;
    with random weights it would have to learn the same separately for every position.
    """
    part = weight[:, : weight.shape[1] // positions]
    weight.copy_(part.repeat(1, positions))


def gather_or_zero(rows: Tensor, index: Tensor) -> Tensor:
    """Pick rows by number, zeros where the number is one past the last.

    Args:
        rows: [n, width].
        index: int64 of any shape, 0 to n.

    Returns:
        [*index.shape, width].
    """
    return torch.cat([rows, rows.new_zeros(1, rows.shape[1])])[index]


def starts_of(counts: Tensor) -> Tensor:
    """First position of each of several concatenated runs; counts and result int64 [n]."""
    return counts.cumsum(0) - counts


def places_in_runs(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Number every element of several runs: its run, and its place in it; int64 [sum(counts)]."""
    run = torch.repeat_interleave(torch.arange(len(counts)), counts)
    return run, torch.arange(len(run)) - starts_of(counts)[run]
