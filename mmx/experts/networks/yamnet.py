"""YAMNet (AudioSet, 521 classes): log-mel patches to 1024 values, by separable convolutions.

The network is MobileNet v1 (Howard et al. 2017) on sound. Its weights come from TensorFlow, which
pads an even map before a convolution of stride 2 at its end only.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mmx.experts.checkpoints import CheckpointError

WIDTH = 1024
CLASSES = 521
OFFSET = 0.001
"""What YAMNet adds to a mel band before the logarithm."""

_STEM = (2, 32)
_SEPARABLE = (
    (1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512),
    *((1, 512),) * 5, (2, 1024), (1, 1024),
)  # fmt: skip
"""(stride, output channels) of each layer."""

COUNTERS = 8
"""Bytes before the network's tensors in the published file."""


class Offset(nn.Module):
    """Replaces the offset of a log-mel spectrogram: log(mel + old) becomes log(mel + new).

    So YAMNet reads the patches that every other expert of sound reads. In float32 the result
    differs from a spectrogram that is made with the new offset by 5e-6 at most.
    """

    def __init__(self, old: float, new: float) -> None:
        super().__init__()
        self.less = old - new

    def forward(self, patches: Tensor) -> Tensor:
        """Map patches of any shape."""
        return (patches.exp() - self.less).log()


class YAMNet(nn.Module):
    """The network up to its mean over time and bands; `classify` continues to the classes."""

    def __init__(self, offset: float) -> None:
        super().__init__()
        self.offset = Offset(offset, OFFSET)
        self.layers = nn.Sequential(*_layers())
        self.logits = nn.Linear(WIDTH, CLASSES)

    def forward(self, patches: Tensor) -> Tensor:
        """Map patches (batch, 1, 96 frames, 64 bands), log(mel + `offset`), to (batch, 1024)."""
        maps: Tensor = self.layers(self.offset(patches))
        return maps.mean(dim=(2, 3))

    def classify(self, embeddings: Tensor) -> Tensor:
        """Map embeddings (batch, 1024) to the probabilities of AudioSet's classes (batch, 521)."""
        return torch.sigmoid(self.logits(embeddings))


def _layers() -> Iterator[nn.Module]:
    stride, read = _STEM
    yield from _convolution(1, read, stride)
    for stride, write in _SEPARABLE:
        yield from _convolution(read, read, stride, groups=read)
        yield from _convolution(read, write, 1, kernel=1)
        read = write


def _convolution(
    read: int, write: int, stride: int, *, kernel: int = 3, groups: int = 1
) -> Iterator[nn.Module]:
    """Yield a convolution with its padding, batch norm and ReLU."""
    if stride == 2:
        yield nn.ZeroPad2d((0, 1, 0, 1))
    padding = kernel // 2 if stride == 1 else 0
    yield nn.Conv2d(read, write, kernel, stride, padding, groups=groups, bias=False)
    yield nn.BatchNorm2d(write, eps=1e-4)
    yield nn.ReLU(inplace=True)


def read_published(path: Path, network: YAMNet) -> dict[str, Tensor]:
    """Return the state of `network` from the data of TensorFlow's SavedModel.

    The file has no header: after two counters come the network's tensors as float32, in the order
    of its layers. Raises CheckpointError where the file is too short.
    """
    state = {name: torch.ones_like(value) for name, value in network.state_dict().items()}
    values = path.read_bytes()[COUNTERS:]
    for name, axes in _entries(network):
        size = 4 * state[name].numel()
        if len(values) < size:
            raise CheckpointError(f"{path.name} is too short for YAMNet: it is cut or another file")
        theirs = np.frombuffer(values[:size], "<f4").reshape([state[name].shape[a] for a in axes])
        state[name] = torch.from_numpy(theirs.transpose(np.argsort(axes)).copy())
        values = values[size:]
    return state


def _entries(network: YAMNet) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the name of each tensor in the order of the file, and its axes as they are there.

    Scales of batch norms are not in the file: they are 1.
    """
    for name, module in network.named_modules():
        for tensor, axes in _tensors(module):
            yield f"{name}.{tensor}", axes


def _tensors(module: nn.Module) -> Iterator[tuple[str, tuple[int, ...]]]:
    if isinstance(module, nn.Conv2d):
        yield "weight", (2, 3, 0, 1) if module.groups > 1 else (2, 3, 1, 0)
    if isinstance(module, nn.BatchNorm2d):
        yield from ((name, (0,)) for name in ("bias", "running_mean", "running_var"))
    if isinstance(module, nn.Linear):
        yield from (("weight", (1, 0)), ("bias", (0,)))
