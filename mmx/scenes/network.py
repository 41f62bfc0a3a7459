"""TransNet V2 (Souček and Lokoč 2020): the probability that a shot ends, for each of some frames.

Tensors are named as in the published file. Stacks of (2+1)-dimensional convolutions with four
dilations in time see each frame's surroundings; beside them, each frame is compared with the 50 on
either side, by learnt features and by histograms of colour.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

FILTERS = (16, 32, 64)
DILATIONS = (1, 2, 4, 8)
SIDE = 50
"""Frames on each side with which a frame is compared."""
HEIGHT, WIDTH = 27, 48
"""Pixels of a picture."""


class TransNetV2(nn.Module):
    """The network without what only its training needs."""

    def __init__(self) -> None:
        super().__init__()
        reads = (3, *(4 * filters for filters in FILTERS[:-1]))
        self.SDDCNN = nn.ModuleList(map(_Stack, reads, FILTERS))
        self.frame_sim_layer = _LearntSimilarity(4 * sum(FILTERS))
        self.color_hist_layer = _Similarity()
        self.fc1 = nn.Linear(2 * 128 + 4 * FILTERS[-1] * 3 * 6, 1024)
        self.cls_layer1 = nn.Linear(1024, 1)
        self.cls_layer2 = nn.Linear(1024, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Map pictures (B, T, 27, 48, 3), uint8 RGB, to logits (B, T) of a shot's last frame."""
        maps, levels = pictures.permute(0, 4, 1, 2, 3).float() / 255, []
        for stack in self.SDDCNN:
            maps = stack(maps)
            levels.append(maps.mean(dim=(3, 4)))
        parts = [
            self.color_hist_layer(histograms(pictures)),
            self.frame_sim_layer(torch.cat(levels, dim=1).transpose(1, 2)),
            maps.permute(0, 2, 3, 4, 1).flatten(2),
        ]
        logits: Tensor = self.cls_layer1(functional.relu(self.fc1(torch.cat(parts, dim=2))))
        return logits[..., 0]


class _Stack(nn.Module):
    """Two dilated blocks with a shortcut, then half the height and width."""

    def __init__(self, read: int, filters: int) -> None:
        super().__init__()
        self.DDCNN = nn.ModuleList([_Dilated(read, filters), _Dilated(4 * filters, filters)])

    def forward(self, maps: Tensor) -> Tensor:
        first = functional.relu(self.DDCNN[0](maps))
        both = functional.relu(self.DDCNN[1](first)) + first
        return functional.avg_pool3d(both, (1, 2, 2))


class _Dilated(nn.Module):
    """The same convolution at four dilations in time, side by side."""

    def __init__(self, read: int, write: int) -> None:
        super().__init__()
        for dilation in DILATIONS:
            self.add_module(f"Conv3D_{dilation}", _Separable(read, write, dilation))
        self.bn = nn.BatchNorm3d(4 * write, eps=1e-3)

    def forward(self, maps: Tensor) -> Tensor:
        parts = [self.get_submodule(f"Conv3D_{dilation}")(maps) for dilation in DILATIONS]
        normed: Tensor = self.bn(torch.cat(parts, dim=1))
        return normed


class _Separable(nn.Module):
    """A convolution in space, then one in time."""

    def __init__(self, read: int, write: int, dilation: int) -> None:
        super().__init__()
        space = nn.Conv3d(read, 2 * write, (1, 3, 3), padding=(0, 1, 1), bias=False)
        along, wide = (dilation, 1, 1), (dilation, 0, 0)
        time = nn.Conv3d(2 * write, write, (3, 1, 1), dilation=along, padding=wide, bias=False)
        self.layers = nn.ModuleList([space, time])

    def forward(self, maps: Tensor) -> Tensor:
        for layer in self.layers:
            maps = layer(maps)
        return maps


class _Similarity(nn.Module):
    """Each frame's cosines to its neighbours, (B, T, features) to (B, T, 128)."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2 * SIDE + 1, 128)

    def forward(self, features: Tensor) -> Tensor:
        unit = functional.normalize(features, dim=2)
        cosines = functional.pad(unit @ unit.transpose(1, 2), (SIDE, SIDE))
        frames = torch.arange(features.shape[1])[:, None] + torch.arange(2 * SIDE + 1)
        near = cosines.gather(2, frames.expand(len(features), -1, -1))
        return functional.relu(self.fc(near))


class _LearntSimilarity(_Similarity):
    def __init__(self, read: int) -> None:
        super().__init__()
        self.projection = nn.Linear(read, 128)

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(self.projection(features))


def histograms(pictures: Tensor) -> Tensor:
    """Return counts of 8 x 8 x 8 colours (B, T, 512) of pictures (B, T, H, W, 3)."""
    red, green, blue = (pictures.long() >> 5).unbind(-1)
    colours = ((red << 6) + (green << 3) + blue).flatten(2)
    counts = torch.zeros(*colours.shape[:2], 512)
    return counts.scatter_add(2, colours, torch.ones(colours.shape))
