"""Which frames, stacks or patches of a clip an expert sees: index arithmetic alone, no pixels.

Every policy maps a length to an integer array: one line per sample (what the network embeds at
once), one column per input frame, counted from the start of the clip. A clip that is shorter than
a sample has its last frame repeated; `padding` says how often.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Frames:
    """Single frames (or flow images) of a clip."""

    per_clip: int | None = None
    """How many, spread evenly; 0 takes every one; None leaves it to `embed.frames_per_clip`."""

    @property
    def length(self) -> int:
        """Input frames per sample: 1."""
        return 1

    def indices(self, n: int) -> Indices:
        """Samples (S, 1) of a clip of `n` >= 1 frames: the middles of `per_clip` equal parts.

        A clip with no more frames than asked for gives each of them once.
        """
        if not self.per_clip or n <= self.per_clip:
            return np.arange(n)[:, None]
        middles = (2 * np.arange(self.per_clip) + 1) * n // (2 * self.per_clip)
        return middles[:, None]

    def padding(self, n: int) -> int:
        """Made-up input frames: one for a clip without any flow image, else none."""
        return max(self.length - n, 0)


@dataclass(frozen=True)
class Stacks:
    """Stacks of consecutive frames (or flow images) for networks that see time."""

    length: int
    """Frames per stack."""
    step: int
    """Frames from the start of one stack to the start of the next."""
    tail: Literal["drop", "align"] = "drop"
    """What follows the last whole stack: dropped, or covered by a stack that ends with the clip."""

    def indices(self, n: int) -> Indices:
        """Samples (S, length) of a clip of `n` >= 1 frames; S >= 1, the last frame repeated."""
        starts = np.arange(0, max(n - self.length, 0) + 1, self.step)
        if self.tail == "align" and starts[-1] + self.length < n:
            starts = np.append(starts, n - self.length)
        within: Indices = np.minimum(starts[:, None] + np.arange(self.length), n - 1)
        return within

    def padding(self, n: int) -> int:
        """Repeated input frames: what a clip of `n` frames lacks of one stack."""
        return max(self.length - n, 0)


@dataclass(frozen=True)
class Patches:
    """Stretches of sound; the unit is the sound sample."""

    length: int
    """Sound samples that one patch needs."""
    step: int
    """Sound samples from the start of one patch to the start of the next."""

    def starts(self, begin: int, end: int, total: int) -> Indices:
        """First sound sample of each patch of the clip [begin, end) in a sound of `total` samples.

        Whole patches from the clip's start; the rest of the clip is dropped. A clip shorter than a
        patch gives one patch centred on it, moved so that it stays within the sound, which takes
        its context from the neighbouring sound. A clip that lies past the end gives none.
        """
        end = min(end, total)
        if end <= begin:
            return np.empty(0, dtype=np.int64)
        if end - begin >= self.length:
            return np.arange(begin, end - self.length + 1, self.step)
        centred = (begin + end - self.length) // 2
        return np.array([max(0, min(centred, total - self.length))])

    def padding(self, begin: int, end: int, total: int) -> int:
        """Sound samples of the one patch that are not the clip's own; 0 without a patch."""
        own = min(end, total) - begin
        return max(self.length - own, 0) if own > 0 else 0


Sampling = Frames | Stacks | Patches
