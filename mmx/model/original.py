"""Convert weights of the published code of collaborative experts to the names used here.

Its modalities are in alphabetical order, its gating is `GatingConfig("original", "sequential",
include_self=True)`. Its classifier, one linear layer on all modalities, has no counterpart.
"""

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

CLASSIFIER = "ce.classifier."
SHARED = {"0": "inner.0", "2": "inner.2", "3": "inner.3", "5": "last"}
GATE = {"fc": "fc", "batch_norm": "norm_attention", "batch_norm2": "norm_expert"}
POOL = {"clusters": "clusters", "clusters2": "centres", "batch_norm": "norm"}
PAIRS = "fusion.gating.pairs"


def from_original(state: Mapping[str, Tensor], modalities: Sequence[str]) -> dict[str, Tensor]:
    """Rename the original's weights, splitting g's first layer into its two halves.

    Args:
        state: the original's state dict.
        modalities: names of the network's modalities, in its order.

    Returns:
        Weights for `Network.load_state_dict(..., strict=False)`: all inputs and the gating.

    Raises:
        KeyError: a name that the original does not have.
    """
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name == "ce.g_reason_1.weight":
            own, partner = tensor.chunk(2, dim=1)
            renamed[f"{PAIRS}.own.weight"] = own.contiguous()
            renamed[f"{PAIRS}.partner.weight"] = partner.contiguous()
        elif not name.startswith(CLASSIFIER):
            new = _rename(name, modalities)
            renamed[new] = tensor[0] if new.endswith(".centres") else tensor
    return renamed


def _rename(name: str, modalities: Sequence[str]) -> str:
    """The name in this network for a name of the original."""
    if name == "ce.g_reason_1.bias":
        return f"{PAIRS}.own.bias"
    if found := re.fullmatch(r"ce\.g_reason_shared\.(\d)\.(\w+)", name):
        return f"{PAIRS}.{SHARED[found[1]]}.{found[2]}"
    if found := re.fullmatch(r"ce\.video_dim_reduce\.(\d+)\.fc\.(\w+)", name):
        return f"inputs.{modalities[int(found[1])]}.project.{found[2]}"
    if found := re.fullmatch(r"ce\.video_GU\.(\d+)\.cg\.(\w+)\.(\w+)", name):
        return f"fusion.gating.gates.{found[1]}.{GATE[found[2]]}.{found[3]}"
    if found := re.fullmatch(r"pooling\.(\w+)\.(clusters2?|batch_norm)(\.\w+)?", name):
        return f"inputs.{found[1]}.pool.{POOL[found[2]]}{found[3] or ''}"
    raise KeyError(f"{name} is not a weight of the original network")
