"""VGGish as in the releases of AudioSet and YouTube-8M: after ReLU, PCA and 8 bits."""

from mmx.experts.base import About
from mmx.experts.vggish import declare

ABOUT = About(
    summary="VGGish after ReLU, PCA with whitening and 8 bits, per 0.96 s of sound.",
    paper_width=128,
)

EXPERT = declare(
    "vggish_youtube8m",
    relu=True,
    pca=True,
    quantise=True,
    about=ABOUT,
)
