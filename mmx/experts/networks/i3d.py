"""I3D, the inflated Inception-v1 (Carreira, Zisserman 2017), as TensorFlow trained it.

Two properties that most ports lose are kept here: batch norm with an epsilon of 1e-3, and
TensorFlow's "SAME" padding, which depends on the input's size and is uneven where a stride is 2.
"""

import re

import torch
from torch import Tensor, nn
from torch.nn import functional

CLASSES = 400
WIDTH = 1024
EPSILON = 1e-3
SHORTEST = 9
"""Frames: below it there is one position in time (of stride 8), and the average pool needs two."""
SMALLEST = 193
"""Pixels: below it there are fewer than the 7 x 7 positions (of stride 32) that it needs."""

Triple = tuple[int, ...]
"""Of time, height and width."""

_MIXED: dict[str, tuple[int, int, int, int, int, int, int]] = {
    "Mixed_3b": (192, 64, 96, 128, 16, 32, 32),
    "Mixed_3c": (256, 128, 128, 192, 32, 96, 64),
    "Mixed_4b": (480, 192, 96, 208, 16, 48, 64),
    "Mixed_4c": (512, 160, 112, 224, 24, 64, 64),
    "Mixed_4d": (512, 128, 128, 256, 24, 64, 64),
    "Mixed_4e": (512, 112, 144, 288, 32, 64, 64),
    "Mixed_4f": (528, 256, 160, 320, 32, 128, 128),
    "Mixed_5b": (832, 256, 160, 320, 32, 128, 128),
    "Mixed_5c": (832, 384, 192, 384, 48, 128, 128),
}
"""Input channels, then the outputs of b0, b1a, b1b, b2a, b2b, b3b."""


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return TensorFlow's padding before and after one axis; the odd one goes after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _pad_same(volume: Tensor, kernel: Triple, stride: Triple) -> Tensor:
    """Pad (batch, channels, time, height, width) with zeros, so that strides divide it evenly.

    Zeros serve the pools too: they follow a ReLU, so no maximum is ever below zero.
    """
    pads: list[int] = []
    for size, width, step in zip(volume.shape[:1:-1], kernel[::-1], stride[::-1], strict=True):
        pads.extend(same_padding(size, width, step))
    return functional.pad(volume, pads) if any(pads) else volume


class SamePool3d(nn.Module):
    """A maximum over `kernel`, padded as TensorFlow does."""

    def __init__(self, kernel: Triple, stride: Triple) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, volume: Tensor) -> Tensor:
        """Map (batch, channels, time, height, width) to the same divided by the stride, up."""
        padded = _pad_same(volume, self.kernel, self.stride)
        return functional.max_pool3d(padded, self.kernel, self.stride)


class Unit3d(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, read: int, write: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(read, write, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(write, eps=EPSILON)

    def forward(self, volume: Tensor) -> Tensor:
        """Map (batch, read, time, height, width) to (batch, write, ...), each side over stride."""
        padded = _pad_same(volume, self.conv3d.kernel_size, self.conv3d.stride)
        return functional.relu(self.bn(self.conv3d(padded)), inplace=True)


class Mixed(nn.Module):
    """An Inception block: four branches side by side."""

    def __init__(
        self, read: int, b0: int, b1a: int, b1b: int, b2a: int, b2b: int, b3b: int
    ) -> None:
        super().__init__()
        self.b0 = Unit3d(read, b0)
        self.b1a = Unit3d(read, b1a)
        self.b1b = Unit3d(b1a, b1b, 3)
        self.b2a = Unit3d(read, b2a)
        self.b2b = Unit3d(b2a, b2b, 3)
        self.b3a = SamePool3d((3, 3, 3), (1, 1, 1))
        self.b3b = Unit3d(read, b3b)

    def forward(self, volume: Tensor) -> Tensor:
        """Map (batch, read, ...) to (batch, b0 + b1b + b2b + b3b, ...)."""
        branches = (
            self.b0(volume),
            self.b1b(self.b1a(volume)),
            self.b2b(self.b2a(volume)),
            self.b3b(self.b3a(volume)),
        )
        return torch.cat(branches, dim=1)


class Head(nn.Module):
    """The classifier, a convolution with bias: loaded because the file has it, and not run."""

    def __init__(self) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(WIDTH, CLASSES, 1)


class I3D(nn.Module):
    """I3D with 3 (RGB) or 2 (flow) input `channels`; its layers run in the order of definition."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        mixed = {name: Mixed(*widths) for name, widths in _MIXED.items()}
        trunk = {
            "Conv3d_1a_7x7": Unit3d(channels, 64, 7, 2),
            "MaxPool3d_2a_3x3": SamePool3d((1, 3, 3), (1, 2, 2)),
            "Conv3d_2b_1x1": Unit3d(64, 64),
            "Conv3d_2c_3x3": Unit3d(64, 192, 3),
            "MaxPool3d_3a_3x3": SamePool3d((1, 3, 3), (1, 2, 2)),
            **{name: mixed[name] for name in ("Mixed_3b", "Mixed_3c")},
            "MaxPool3d_4a_3x3": SamePool3d((3, 3, 3), (2, 2, 2)),
            **{name: block for name, block in mixed.items() if name.startswith("Mixed_4")},
            "MaxPool3d_5a_2x2": SamePool3d((2, 2, 2), (2, 2, 2)),
            **{name: mixed[name] for name in ("Mixed_5b", "Mixed_5c")},
        }
        for name, layer in trunk.items():
            self.add_module(name, layer)
        self.logits = Head()
        self._order = tuple(trunk)

    def forward(self, stack: Tensor) -> Tensor:
        """Map (batch, channels, time, height, width) in [-1, 1] to (batch, 1024).

        The mean over time follows an average pool of two positions, so the two end positions weigh
        half. Raises ValueError below 9 frames or 193 pixels.
        """
        if stack.shape[2] < SHORTEST or min(stack.shape[3:]) < SMALLEST:
            raise ValueError(
                f"I3D needs {SHORTEST} frames of {SMALLEST} x {SMALLEST} pixels or more, "
                f"not {tuple(stack.shape[2:])}"
            )
        for name in self._order:
            stack = self.get_submodule(name)(stack)
        return functional.avg_pool3d(stack, (2, 7, 7), stride=1).mean(dim=(2, 3, 4))


_RENAMES = (
    (re.compile(r"^conv3d_0c_1x1\."), "logits."),
    (re.compile(r"^(conv3d|mixed)_"), lambda match: match[0].capitalize()),
    (re.compile(r"\.batch3d\."), ".bn."),
    (re.compile(r"\.branch_0\."), ".b0."),
    (re.compile(r"\.branch_(\d)\.([01])\."), lambda m: f".b{m[1]}{'ab'[int(m[2])]}."),
)


def i3d_name(name: str) -> str:
    """Return the canonical (piergiaj's) name of a parameter in either published layout."""
    for pattern, replacement in _RENAMES:
        name = pattern.sub(replacement, name)
    return name
