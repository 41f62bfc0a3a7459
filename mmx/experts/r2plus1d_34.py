"""R(2+1)D-34 on RGB: the paper's second motion network, 512 values where the paper says 1024.

Trained on IG-65M, then on Kinetics-400: no Kinetics-600 checkpoint of it is published.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mmx.experts.base import About, Checkpoint, Digest, Expert, Source
from mmx.experts.preprocess import Pixels, Resize
from mmx.experts.sampling import Stacks

if TYPE_CHECKING:
    from torch import nn

FILE = "r2plus1d_34_clip32_ft_kinetics_from_ig65m.pth"
FORMAT: Final = "torch"

ABOUT = About(
    summary="R(2+1)D-34 trained on IG-65M and Kinetics-400, penultimate layer.",
    paper_width=1024,
    weights=(
        Checkpoint(
            file=FILE,
            sources=(
                Source(
                    url="https://github.com/moabitcoin/ig65m-pytorch/releases/download/v1.0.0/"
                    "r2plus1d_34_clip32_ft_kinetics_from_ig65m-ade133f1.pth",
                    digest=Digest("sha256_prefix", "ade133f1"),
                    size=255_061_555,
                ),
            ),
            licence="MIT",
            format=FORMAT,
            trained_on="IG-65M, then Kinetics-400",
        ),
    ),
)


def _network() -> "nn.Module":
    from mmx.experts.networks.r2plus1d import R2Plus1D34

    return R2Plus1D34()


def _load(network: "nn.Module", weights: Mapping[str, Path]) -> None:
    from mmx.experts.checkpoints import load_published

    load_published(network, weights[FILE], FORMAT)


EXPERT = Expert(
    name="r2plus1d_34",
    modality="motion",
    reads="clips",
    width=512,
    sequence=False,
    sampling=Stacks(length=32, step=32, tail="align"),
    preprocess=Pixels(
        resize=Resize((128, 171), method="torch"),
        crop=(112, 112),
        mean=(0.43216, 0.394666, 0.37645),
        std=(0.22803, 0.22145, 0.216989),
    ),
    weights=ABOUT.weights,
    network=_network,
    load=_load,
    tools=("numpy", "torch", "torchvision"),
    about=ABOUT,
)
