"""One trailer's share of an embed step, as the engine hands it to a worker."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mmx.media.clip import Clip
from mmx.media.faults import Limits
from mmx.params import EmbedParams


@dataclass(frozen=True, kw_only=True)
class EmbedJob:
    """What to embed, with which expert, and where to write the rows."""

    expert: str
    """Registered name."""
    source: Path | None
    """The artefact that the expert reads: video, flow file or wav; None for a silent trailer."""
    clips: tuple[Clip, ...]
    """In the order of the video; one row each."""
    params: EmbedParams
    limits: Limits
    """Of decoding, for an expert that reads the video."""
    out: Path
    """An empty folder, which receives the rows."""
    weights: Mapping[str, Path] = field(default_factory=dict)
    """File name -> path, of every file of weights that the expert declares."""
    rate: Literal["native"] | float = "native"
    """Frames per second for an expert of frames: the video's own rate, or a lower one."""
    device: str = "cpu"
    """`cpu`, `cuda` or `cuda:N`."""

    def setting(self) -> tuple[object, ...]:
        """Return what jobs must share in order to share batches."""
        files = tuple(sorted(self.weights.items()))
        return self.expert, self.params.precision, self.params.batch, files, self.device
