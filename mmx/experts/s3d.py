"""S3D on Kinetics-400, as torchvision has it: an optional motion expert on RGB."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mmx.experts.base import About, Checkpoint, Digest, Expert, Source
from mmx.experts.preprocess import Pixels, Resize
from mmx.experts.sampling import Stacks

if TYPE_CHECKING:
    from torch import nn

FILE = "s3d.pth"
FORMAT: Final = "torch"

ABOUT = About(
    summary="S3D trained on Kinetics-400, averaged over time, before the classifier.",
    paper_width=None,
    weights=(
        Checkpoint(
            file=FILE,
            sources=(
                Source(
                    url="https://download.pytorch.org/models/s3d-d76dad2f.pth",
                    digest=Digest("sha256_prefix", "d76dad2f"),
                    size=None,
                ),
            ),
            licence="unknown",
            format=FORMAT,
            trained_on="Kinetics-400, 400 actions, by torchvision's own recipe",
        ),
    ),
)


def _network() -> "nn.Module":
    from torch.nn import Identity
    from torchvision.models.video import s3d

    network: nn.Module = s3d(weights=None)
    network.classifier = Identity()
    return network


def _load(network: "nn.Module", weights: Mapping[str, Path]) -> None:
    from mmx.experts.checkpoints import load_strictly, read_state

    state = read_state(weights[FILE], FORMAT)
    kept = {name: value for name, value in state.items() if not name.startswith("classifier.")}
    load_strictly(network, kept)


EXPERT = Expert(
    name="s3d",
    modality="motion",
    reads="clips",
    width=1024,
    sequence=False,
    sampling=Stacks(length=64, step=64, tail="align"),
    preprocess=Pixels(
        resize=Resize((256, 256), "torch"),
        crop=(224, 224),
        mean=(0.43216, 0.394666, 0.37645),
        std=(0.22803, 0.22145, 0.216989),
    ),
    weights=ABOUT.weights,
    network=_network,
    load=_load,
    tools=("numpy", "torch", "torchvision"),
    about=ABOUT,
)
