"""VGGish (Hershey et al. 2017): log-mel patches to 128 values, and what AudioSet does to them."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

WIDTH = 128
CLIP = 2.0
"""Post-processed values are clipped to [-2, 2]..."""
STEPS = 255 / (2 * CLIP)
"""... and mapped linearly to [0, 255]."""

_STAGES = ((64,), (128,), (256, 256), (512, 512))
"""Output channels of the convolutions before each pool."""


class VGGish(nn.Module):
    """The convolutional network of AudioSet, 18 tensors named as in `vggish-10086976.pth`.

    `relu` keeps the last ReLU, which the network had when AudioSet and YouTube-8M were released and
    which was removed upstream later.
    """

    def __init__(self, *, relu: bool) -> None:
        super().__init__()
        self.features = nn.Sequential(*_feature_layers())
        self.embeddings = nn.Sequential(
            nn.Linear(512 * 6 * 4, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, WIDTH),
            *([nn.ReLU(inplace=True)] if relu else []),
        )

    def forward(self, patches: Tensor) -> Tensor:
        """Map log-mel patches (batch, 1, 96 frames, 64 bands) to (batch, 128)."""
        maps = self.features(patches)
        # The weights come from TensorFlow, whose maps are flattened height, width, channel.
        embeddings: Tensor = self.embeddings(maps.permute(0, 2, 3, 1).flatten(1))
        return embeddings


class Postprocessor(nn.Module):
    """AudioSet's PCA with whitening, then 8 bits if `quantise`.

    Its two tensors are those of `vggish_pca_params-970ea276.pth`.
    """

    pca_eigen_vectors: Tensor
    pca_means: Tensor

    def __init__(self, *, quantise: bool) -> None:
        super().__init__()
        self.quantise = quantise
        self.register_buffer("pca_eigen_vectors", torch.zeros(WIDTH, WIDTH))
        self.register_buffer("pca_means", torch.zeros(WIDTH))

    def forward(self, embeddings: Tensor) -> Tensor:
        """Map (batch, 128) to (batch, 128): whitened, or whole numbers from 0 to 255.

        They are truncated, as in the releases of AudioSet and YouTube-8M; a well-known port rounds.
        """
        whitened = (embeddings - self.pca_means) @ self.pca_eigen_vectors.T
        if not self.quantise:
            return whitened
        return ((whitened.clamp(-CLIP, CLIP) + CLIP) * STEPS).floor()


def chain(vggish: VGGish, postprocessor: Postprocessor | None) -> nn.Sequential:
    """Return one after the other, as `vggish` and, if there is one, `postprocessor`."""
    parts: dict[str, nn.Module] = {"vggish": vggish}
    if postprocessor is not None:
        parts["postprocessor"] = postprocessor
    return nn.Sequential(OrderedDict(parts))


def flat_means(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the PCA's state with `pca_means` as (128,): some files have a column (128, 1)."""
    return {name: v.flatten() if name == "pca_means" else v for name, v in state.items()}


def _feature_layers() -> list[nn.Module]:
    """Return the four convolutional stages; a pool halves 96 x 64, down to 6 x 4."""
    layers: list[nn.Module] = []
    read = 1
    for stage in _STAGES:
        for write in stage:
            layers += [nn.Conv2d(read, write, 3, padding=1), nn.ReLU(inplace=True)]
            read = write
        layers.append(nn.MaxPool2d(2, 2))
    return layers
