"""The image tower of CLIP ViT-B/32, trained on LAION-400M: an optional appearance expert."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mmx.experts.base import About, Checkpoint, Digest, Expert, Source
from mmx.experts.preprocess import Pixels, Resize
from mmx.experts.sampling import Frames

if TYPE_CHECKING:
    from torch import Tensor, nn

FILE = "clip_vit_b32_laion400m.pt"
FORMAT: Final = "torch"

ABOUT = About(
    summary="CLIP ViT-B/32 trained on LAION-400M, image features before normalisation.",
    paper_width=None,
    weights=(
        Checkpoint(
            file=FILE,
            sources=(
                Source(
                    url="https://github.com/mlfoundations/open_clip/releases/download/v0.2-weights/"
                    "vit_b_32-quickgelu-laion400m_e32-46683a32.pt",
                    digest=Digest("sha256_prefix", "46683a32"),
                    size=None,
                ),
            ),
            licence="MIT",
            format=FORMAT,
            trained_on="LAION-400M, pictures and their captions from the open web",
        ),
    ),
)

TOWER = "visual."
"""Names of the image tower begin with this; the rest of the file is the text tower."""

RENAMED = (
    ("conv1.", "patch_embed.proj."),
    ("positional_embedding", "pos_embed"),
    ("class_embedding", "cls_token"),
    ("ln_pre.", "norm_pre."),
    ("ln_post.", "norm."),
    ("transformer.resblocks.", "blocks."),
    ("ln_1.", "norm1."),
    ("ln_2.", "norm2."),
    ("attn.in_proj_", "attn.qkv."),
    ("attn.out_proj.", "attn.proj."),
    ("mlp.c_fc.", "mlp.fc1."),
    ("mlp.c_proj.", "mlp.fc2."),
    ("proj", "head.weight"),
)
"""The file's parts of names and timm's; the last only where it is the whole name."""


def _timm_name(name: str) -> str:
    """Return timm's name of a parameter of the image tower."""
    for old, new in RENAMED[:-1]:
        name = re.sub(rf"(^|\.){re.escape(old)}", rf"\g<1>{new}", name)
    return RENAMED[-1][1] if name == RENAMED[-1][0] else name


_SIDES = {"cls_token": 1, "pos_embed": 2, "head.weight": 2}
"""Number of sides of what has others in timm, by timm's name."""


def tower(state: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """Return the image tower of a published state, as timm lays it out.

    Raise CheckpointError where it has none.
    """
    from mmx.experts.checkpoints import CheckpointError

    renamed = {
        _timm_name(name.removeprefix(TOWER)): value
        for name, value in state.items()
        if name.startswith(TOWER)
    }
    odd = [name for name, sides in _SIDES.items() if not _has(renamed.get(name), sides)]
    if odd:
        raise CheckpointError(f"{FILE} has no image tower as published: {', '.join(odd)}")
    renamed["cls_token"] = renamed["cls_token"].reshape(1, 1, -1)
    renamed["pos_embed"] = renamed["pos_embed"][None]
    renamed["head.weight"] = renamed["head.weight"].T
    renamed["head.bias"] = renamed["head.weight"].new_zeros(renamed["head.weight"].shape[0])
    return renamed


def _has(value: "Tensor | None", sides: int) -> bool:
    """Say whether a tensor is there and has so many sides."""
    return value is not None and value.dim() == sides


def _network() -> "nn.Module":
    from timm import create_model

    name = "vit_base_patch32_clip_quickgelu_224"
    return create_model(name, pretrained=False, num_classes=512)


def _load(network: "nn.Module", weights: Mapping[str, Path]) -> None:
    from mmx.experts.checkpoints import load_strictly, read_state

    load_strictly(network, tower(read_state(weights[FILE], FORMAT)))


EXPERT = Expert(
    name="clip_vit_b32",
    modality="appearance",
    reads="clips",
    width=512,
    sequence=False,
    sampling=Frames(),
    preprocess=Pixels(
        resize=Resize(224, "pillow_bicubic"),
        crop=(224, 224),
        mean=(0.48145466, 0.4578275, 0.40821073),
        std=(0.26862954, 0.26130258, 0.27577711),
    ),
    weights=ABOUT.weights,
    network=_network,
    load=_load,
    tools=("numpy", "pillow", "timm", "torch"),
    about=ABOUT,
)
"""Weights of a web-scale collection: its content is unreviewed and may include films."""
