"""What a video may not exceed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on a stranger's video, held before and while it is decoded."""

    max_seconds: float = 1800.0
    """Longest duration, in seconds, by the header and by the presentation times."""
    max_pixels: int = 8192 * 4320
    """Largest picture, width times height, as stored and as shown."""


DEFAULT_LIMITS = Limits()
