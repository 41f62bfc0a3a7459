"""Shipped rates: what a minute of video roughly costs a step before anything was measured."""

from dataclasses import dataclass
from typing import Literal

from mmx.params import FlowParams

CLIPS_PER_MINUTE = 25
"""Of a trailer, roughly."""
_FRAMES_PER_SECOND = 24


@dataclass(frozen=True)
class Rate:
    """What a minute of video costs a step, on one core of an AMD EPYC (Zen 5)."""

    seconds: float
    """Of the core."""
    bytes: float
    """Of the result."""


def frames_per_minute(rate: Literal["native"] | float) -> float:
    """Return the frames that a step sees of a minute of video."""
    return 60 * (_FRAMES_PER_SECOND if rate == "native" else rate)


def pairs_per_minute(params: FlowParams) -> float:
    """Return the pairs of frames whose flow is computed."""
    every = frames_per_minute(params.rate)
    return min(every, params.pairs_per_clip * CLIPS_PER_MINUTE or every)
