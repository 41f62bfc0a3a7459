"""VGGish on log-mel patches: the paper's audio expert, 128 values every 0.96 s.

Three conventions are in use, so three experts are declared with `declare`: this one keeps the final
ReLU that the published conversion has, and stores its floating-point values.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mmx.experts.base import About, Checkpoint, Digest, Expert, Source
from mmx.experts.logmel import PATCH_SAMPLES, PATCH_STEP
from mmx.experts.preprocess import LogMel
from mmx.experts.sampling import Patches

if TYPE_CHECKING:
    from torch import nn

FILE = "vggish.pth"
PCA_FILE = "vggish_pca_params.pth"
FORMAT: Final = "torch"

ABOUT = About(
    summary="VGGish, its 128 values after the final ReLU, per 0.96 s of sound.",
    paper_width=128,
    weights=(
        Checkpoint(
            file=FILE,
            sources=(
                Source(
                    url="https://github.com/harritaylor/torchvggish/releases/download/v0.1/"
                    "vggish-10086976.pth",
                    digest=Digest("sha256_prefix", "10086976"),
                    size=288_567_937,
                ),
            ),
            licence="Apache-2.0",
            format=FORMAT,
            trained_on="a preliminary YouTube-8M, video labels",
        ),
        Checkpoint(
            file=PCA_FILE,
            sources=(
                Source(
                    url="https://github.com/harritaylor/torchvggish/releases/download/v0.1/"
                    "vggish_pca_params-970ea276.pth",
                    digest=Digest("sha256_prefix", "970ea276"),
                    size=181_358,
                ),
            ),
            licence="Apache-2.0",
            format=FORMAT,
            trained_on="VGGish embeddings of AudioSet",
        ),
    ),
)


def declare(name: str, *, relu: bool, pca: bool, quantise: bool, about: About) -> Expert:
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
        sequence=True,
        sampling=Patches(length=PATCH_SAMPLES, step=PATCH_STEP),
        preprocess=LogMel(),
        weights=ABOUT.weights if pca else ABOUT.weights[:1],
        network=network,
        load=_load,
        tools=("numpy", "torch"),
        about=about,
        settings=(("relu", relu), ("pca", pca), ("quantise", quantise)),
    )


def _load(network: "nn.Module", weights: Mapping[str, Path]) -> None:
    from mmx.experts.checkpoints import load_published, load_strictly, read_state
    from mmx.experts.networks.vggish import flat_means

    load_published(network.get_submodule("vggish"), weights[FILE], FORMAT)
    if PCA_FILE in weights:
        state = flat_means(read_state(weights[PCA_FILE], FORMAT))
        load_strictly(network.get_submodule("postprocessor"), state)


EXPERT = declare(
    "vggish",
    relu=True,
    pca=False,
    quantise=False,
    about=ABOUT,
)
