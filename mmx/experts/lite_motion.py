"""Histograms of TV-L1 flow and of motion boundaries: the motion modality without weights."""

from typing import TYPE_CHECKING

from mmx.experts.base import About, Expert
from mmx.experts.preprocess import Pixels, Resize
from mmx.experts.sampling import Frames

if TYPE_CHECKING:
    from torch import nn

BOUND = 20.0
"""Largest stored movement, either way; with another `flow.bound` the unit is bound / 20 pixels."""
ZERO = 128.0
"""No movement, in 8 bits."""

ABOUT = About(
    summary="Histograms of flow, of motion boundaries and of speed; nothing is learnt.",
    paper_width=None,
)


def _network() -> "nn.Module":
    from mmx.experts.descriptors.motion import Motion

    return Motion()


EXPERT = Expert(
    name="lite_motion",
    modality="motion",
    reads="flow",
    width=308,
    sequence=False,
    sampling=Frames(per_clip=0),
    preprocess=Pixels(
        resize=Resize((48, 64), "area"),
        crop=None,
        range=(0.0, 255.0),
        mean=(ZERO,),
        std=(255 / (2 * BOUND),),
    ),
    weights=(),
    network=_network,
    load=None,
    tools=("numpy", "torch"),
    about=ABOUT,
)
