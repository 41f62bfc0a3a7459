"""Input of the network: the clips of several trailers concatenated, without padding."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Feature:
    """One modality of the batch, for the clips that have it."""

    values: Tensor
    """float32 [vectors, width]: the vectors of all present clips, concatenated."""
    clips: Tensor
    """int64 [present]: which clips of the batch are present, ascending."""
    counts: Tensor
    """int64 [present], on the CPU: vectors per present clip; all 1 unless a sequence."""

    def to(self, device: torch.device) -> "Feature":
        """Return a copy on `device`."""
        return Feature(
            self.values.to(device, non_blocking=True),
            self.clips.to(device, non_blocking=True),
            self.counts,
        )


@dataclass(frozen=True)
class Batch:
    """Several trailers as consecutive clips."""

    features: dict[str, Feature]
    """By name of modality."""
    lengths: Tensor
    """int64 [trailers], on the CPU: clips per trailer, at least 1."""

    def to(self, device: torch.device) -> "Batch":
        """Return a copy whose arrays of data are on `device`; the counts stay on the CPU."""
        features = {name: feature.to(device) for name, feature in self.features.items()}
        return Batch(features, self.lengths)

    @property
    def clips(self) -> int:
        """Clips of all trailers together."""
        return int(self.lengths.sum())
