"""VGGish as upstream has it since the final ReLU was removed, without post-processing."""

from mmx.experts.base import About
from mmx.experts.vggish import declare

ABOUT = About(
    summary="VGGish, its 128 values before any ReLU, per 0.96 s of sound.",
    paper_width=128,
)

EXPERT = declare(
    "vggish_linear",
    relu=False,
    pca=False,
    quantise=False,
    about=ABOUT,
)
