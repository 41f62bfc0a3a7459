"""DenseNet-161 on Places365: the scene expert that the gating code's authors used, 2208 values."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mmx.experts.base import About, Checkpoint, Expert, Source
from mmx.experts.preprocess import IMAGENET_MEAN, IMAGENET_STD, Pixels, Resize
from mmx.experts.sampling import Frames

if TYPE_CHECKING:
    from torch import nn

FILE = "densenet161_places365.pth.tar"
FORMAT: Final = "torch_latin1"

ABOUT = About(
    summary="DenseNet-161 trained on Places365, penultimate layer.",
    paper_width=None,
    weights=(
        Checkpoint(
            file=FILE,
            sources=(
                Source(
                    url="http://places2.csail.mit.edu/models_places365/densenet161_places365.pth.tar",
                    digest=None,
                    size=109_992_884,
                ),
            ),
            licence="CC BY",
            format=FORMAT,
            trained_on="Places365-Standard, 365 scenes",
        ),
    ),
)


def _network() -> "nn.Module":
    from mmx.experts.networks.places365 import Places365DenseNet161

    return Places365DenseNet161()


def _load(network: "nn.Module", weights: Mapping[str, Path]) -> None:
    from mmx.experts.checkpoints import load_published
    from mmx.experts.networks.places365 import densenet_name

    path = weights[FILE]
    load_published(network, path, FORMAT, densenet_name)


EXPERT = Expert(
    name="densenet161_places365",
    modality="scene",
    reads="clips",
    width=2208,
    sequence=False,
    sampling=Frames(),
    # Both sides become 256, the aspect is not kept: so the authors trained and tested.
    preprocess=Pixels(
        resize=Resize((256, 256)), crop=(224, 224), mean=IMAGENET_MEAN, std=IMAGENET_STD
    ),
    weights=ABOUT.weights,
    network=_network,
    load=_load,
    tools=("numpy", "pillow", "torch", "torchvision"),
    about=ABOUT,
)
