"""Statistics of log-mel patches: the audio modality without weights, as a sequence over time."""

from typing import TYPE_CHECKING

from mmx.experts.base import About, Expert
from mmx.experts.logmel import PATCH_SAMPLES, PATCH_STEP
from mmx.experts.preprocess import LogMel
from mmx.experts.sampling import Patches

if TYPE_CHECKING:
    from torch import nn

ABOUT = About(
    summary="Level, deviation and change per mel band, per 0.96 s of sound; nothing is learnt.",
    paper_width=None,
)


def _network() -> "nn.Module":
    from mmx.experts.descriptors.sound import MelStatistics

    return MelStatistics()


EXPERT = Expert(
    name="lite_audio",
    modality="audio",
    reads="audio",
    width=128,
    sequence=True,
    sampling=Patches(length=PATCH_SAMPLES, step=PATCH_STEP),
    preprocess=LogMel(),
    weights=(),
    network=_network,
    load=None,
    tools=("numpy", "torch"),
    about=ABOUT,
)
