"""The configuration of a network: inputs, shapes, variants; to JSON data and back."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

MAY_BE_0 = ("ghosts", "pooled")


@dataclass(frozen=True)
class Modality:
    """One input of the network: the embeddings of its experts for a clip."""

    name: str
    width: int
    """Length of a vector."""
    sequence: bool = False
    """Several vectors over time per clip, pooled by NetVLAD; otherwise one."""


@dataclass(frozen=True)
class GatingConfig:
    """Collaborative gating (section 3.1, equations 1 and 2) and its variants."""

    form: Literal["paper", "original"] = "paper"
    """`original`: as the published code of collaborative experts computes it."""
    order: Literal["simultaneous", "sequential"] = "simultaneous"
    """`sequential`: each expert is gated by the already gated ones before it."""
    include_self: bool = False
    """Whether the sum over partners includes the expert itself."""


@dataclass(frozen=True)
class NetworkConfig:
    """Everything needed to build a network. Defaults are the paper's."""

    modalities: tuple[Modality, ...]
    classes: int
    """Genres: length of the logits."""
    dim: int = 768
    """Common width of the modalities (section 4.2)."""
    clusters: int = 16
    """NetVLAD's clusters."""
    ghosts: int = 0
    """NetVLAD's ghost clusters: they take part in the assignment and are then dropped."""
    fusion: Literal["gated", "concat"] = "gated"
    """`concat`: neither gate nor GEM (Table 2's naive concatenation and single experts)."""
    gating: GatingConfig = field(default_factory=GatingConfig)
    clip: int = 128
    """Width of a clip's vector."""
    sequence_length: int = 9
    """Clips per sequence."""
    sequence_stride: int = 9
    """Clips from the start of a sequence to the start of the next."""
    sequence: int = 256
    """Width of a sequence's vector."""
    slots: int = 40
    """Sequences that `concat` has room for; evenly sampled where a trailer has more."""
    aggregate: Literal["concat", "sum"] = "concat"
    """How sequences become a trailer: section 7 concatenates, section 3.2 sums."""
    bottleneck: int = 2048
    """Width of a trailer's embedding."""
    classifier: int = 1024
    """Hidden width of the classifier l."""
    projection: int = 128
    """Width of the contrastive projection."""
    sequence_head: Literal["none", "probe", "only"] = "probe"
    """Genres per sequence (section 3.2). `probe`: a head beside the trailer's, which does not
    affect it; `only`: the sequences are classified, and the trailer is their mean."""
    pooled: int = 0
    """Width of a projection of each trailer's mean features, in which trailers are then compared
    instead of by the bottleneck; 0: none."""

    def __post_init__(self) -> None:
        """Raise ValueError for sizes below 1, and for missing or duplicate modalities."""
        if not self.modalities:
            raise ValueError("a network needs at least one modality")
        names = [modality.name for modality in self.modalities]
        if len(set(names)) < len(names):
            raise ValueError(f"modalities must differ, got {', '.join(names)}")
        sizes = {name: value for name, value in asdict(self).items() if isinstance(value, int)}
        small = [name for name, value in sizes.items() if value < (name not in MAY_BE_0)]
        if small:
            raise ValueError(f"must be at least 1: {', '.join(small)}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "NetworkConfig":
        """Rebuild a configuration from `to_dict`; TypeError for unknown keys."""
        modalities = tuple(Modality(**modality) for modality in data["modalities"])
        return cls(**{**data, "modalities": modalities, "gating": GatingConfig(**data["gating"])})
