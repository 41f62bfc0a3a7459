"""VGGish as upstream has it since the final ReLU was removed, without post-processing."""

from mmx.experts.vggish import declare

EXPERT = declare(
    "vggish_linear",
    relu=False,
    pca=False,
    quantise=False,
    summary="VGGish, its 128 values before any ReLU, per 0.96 s of sound.",
)
