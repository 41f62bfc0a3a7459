"""VGGish on log-mel patches: the paper's audio expert, 128 values every 0.96 s.

Three conventions are in use, so three experts are declared with `declare`: this one keeps the final
ReLU that the published conversion has, and stores its floating-point values.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mmx.experts.base import Checkpoint, Digest, Expert, Source
from mmx.experts.logmel import PATCH_SAMPLES, PATCH_STEP
from mmx.experts.preprocess import LogMel
from mmx.experts.sampling import Patches

if TYPE_CHECKING:
    from torch import nn

RELEASE = "https://github.com/harritaylor/torchvggish/releases/download/v0.1/"

CHECKPOINT = Checkpoint(
    file="vggish.pth",
    sources=(
        Source(
            url=RELEASE + "vggish-10086976.pth",
            digest=Digest("sha256_prefix", "10086976"),
            size=288_567_937,
        ),
    ),
    licence="Apache-2.0",
    format="torch",
    trained_on="a preliminary YouTube-8M, video labels",
)

PCA = Checkpoint(
    file="vggish_pca_params.pth",
    sources=(
        Source(
            url=RELEASE + "vggish_pca_params-970ea276.pth",
            digest=Digest("sha256_prefix", "970ea276"),
            size=181_358,
        ),
    ),
    licence="Apache-2.0",
    format="torch",
    trained_on="VGGish embeddings of AudioSet",
)


def declare(name: str, *, relu: bool, pca: bool, quantise: bool, summary: str) -> Expert:
    """Return VGGish with its final ReLU or without, whitened or not, in 8 bits or not.

    Raises ValueError for 8 bits without PCA, which nobody publishes.
    """
    if quantise and not pca:
        raise ValueError(f"{name}: only whitened values are quantised")

    def network() -> "nn.Module":
        from mmx.experts.networks.vggish import Postprocessor, VGGish, chain

        return chain(VGGish(relu=relu), Postprocessor(quantise=quantise) if pca else None)

    return Expert(
        name=name,
        modality="audio",
        reads="audio",
        width=128,
        paper_width=128,
        sequence=True,
        sampling=Patches(length=PATCH_SAMPLES, step=PATCH_STEP),
        preprocess=LogMel(),
        weights=(CHECKPOINT, PCA) if pca else (CHECKPOINT,),
        network=network,
        load=_load,
        code=(
            "mmx.experts.vggish",
            f"mmx.experts.{name}",
            "mmx.experts.networks.vggish",
            "mmx.experts.checkpoints",
            "mmx.experts.logmel",
        ),
        tools=("numpy", "torch"),
        summary=summary,
        settings=(("relu", relu), ("pca", pca), ("quantise", quantise)),
    )


def _load(network: "nn.Module", weights: Mapping[str, Path]) -> None:
    from mmx.experts.checkpoints import load_published, load_strictly, read_state
    from mmx.experts.networks.vggish import flat_means

    load_published(network.get_submodule("vggish"), weights[CHECKPOINT.file], CHECKPOINT.format)
    if PCA.file in weights:
        state = flat_means(read_state(weights[PCA.file], PCA.format))
        load_strictly(network.get_submodule("postprocessor"), state)


EXPERT = declare(
    "vggish",
    relu=True,
    pca=False,
    quantise=False,
    summary="VGGish, its 128 values after the final ReLU, per 0.96 s of sound.",
)
