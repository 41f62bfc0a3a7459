"""SENet154 on ImageNet: the paper's appearance expert, 2048 values."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mmx.experts.base import About, Checkpoint, Digest, Expert, Source
from mmx.experts.preprocess import IMAGENET_MEAN, IMAGENET_STD, Pixels, Resize
from mmx.experts.sampling import Frames

if TYPE_CHECKING:
    from torch import nn

FILE = "senet154.pth"
FORMAT: Final = "torch"

ABOUT = About(
    summary="SENet154 trained on ImageNet, penultimate layer.",
    paper_width=2048,
    weights=(
        Checkpoint(
            file=FILE,
            sources=(
                Source(
                    url="http://data.lip6.fr/cadene/pretrainedmodels/senet154-c7b49a05.pth",
                    digest=Digest("sha256_prefix", "c7b49a05"),
                    size=461_346_144,
                ),
                Source(
                    url="https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-weights/"
                    "legacy_senet154-e9eb9fe6.pth",
                    digest=Digest("sha256_prefix", "e9eb9fe6"),
                    size=461_346_144,
                ),
            ),
            licence="Apache-2.0",
            format=FORMAT,
            trained_on="ImageNet-1k, 1,000 classes",
        ),
    ),
)


def _network() -> "nn.Module":
    from mmx.experts.networks.senet154 import SENet154

    return SENet154()


def _load(network: "nn.Module", weights: Mapping[str, Path]) -> None:
    from mmx.experts.checkpoints import load_published

    load_published(network, weights[FILE], FORMAT)


EXPERT = Expert(
    name="senet154",
    modality="appearance",
    reads="clips",
    width=2048,
    sequence=False,
    sampling=Frames(),
    preprocess=Pixels(resize=Resize(256), crop=(224, 224), mean=IMAGENET_MEAN, std=IMAGENET_STD),
    weights=ABOUT.weights,
    network=_network,
    load=_load,
    tools=("numpy", "pillow", "timm", "torch"),
    about=ABOUT,
)
