"""ResNet-18 on Places365: the paper's scene expert, 512 values where the paper says 1024."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mmx.experts.base import About, Checkpoint, Expert, Source
from mmx.experts.preprocess import IMAGENET_MEAN, IMAGENET_STD, Pixels, Resize
from mmx.experts.sampling import Frames

if TYPE_CHECKING:
    from torch import nn

FILE = "resnet18_places365.pth.tar"
FORMAT: Final = "torch_latin1"

ABOUT = About(
    summary="ResNet-18 trained on Places365, penultimate layer.",
    paper_width=1024,
    weights=(
        Checkpoint(
            file=FILE,
            sources=(
                Source(
                    url="http://places2.csail.mit.edu/models_places365/resnet18_places365.pth.tar",
                    digest=None,
                    size=45_493_428,
                ),
            ),
            licence="CC BY",
            format=FORMAT,
            trained_on="Places365-Standard, 365 scenes",
        ),
    ),
)


def _network() -> "nn.Module":
    from mmx.experts.networks.places365 import Places365ResNet18

    return Places365ResNet18()


def _load(network: "nn.Module", weights: Mapping[str, Path]) -> None:
    from mmx.experts.checkpoints import load_published

    load_published(network, weights[FILE], FORMAT)


EXPERT = Expert(
    name="resnet18_places365",
    modality="scene",
    reads="clips",
    width=512,
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
