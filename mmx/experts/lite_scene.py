"""Layout and colour of frames: the scene modality without weights."""

from typing import TYPE_CHECKING

from mmx.experts.base import About, Expert
from mmx.experts.preprocess import Pixels, Resize
from mmx.experts.sampling import Frames

if TYPE_CHECKING:
    from torch import nn

ABOUT = About(
    summary="Histograms of colour, edge orientations and a small picture; nothing is learnt.",
    paper_width=None,
)


def _network() -> "nn.Module":
    from mmx.experts.descriptors.layout import Layout

    return Layout()


EXPERT = Expert(
    name="lite_scene",
    modality="scene",
    reads="clips",
    width=894,
    sequence=False,
    sampling=Frames(),
    preprocess=Pixels(resize=Resize((72, 96), "decoder"), crop=None),
    weights=(),
    network=_network,
    load=None,
    tools=("numpy", "pillow", "torch"),
    about=ABOUT,
)
