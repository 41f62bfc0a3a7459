"""When a video cannot be used: the limits on it, and the one exception for all its faults."""

from dataclasses import dataclass

from mmx.errors import UserError


@dataclass(frozen=True)
class Limits:
    """Bounds on an untrusted video, checked before and while it is decoded."""

    max_seconds: float = 1800.0
    """Longest duration, in seconds, by the header and by the presentation times."""
    max_pixels: int = 8192 * 4320
    """Largest picture, width times height, as stored and as shown."""


DEFAULT_LIMITS = Limits()


class MediaFault(UserError):
    """A file cannot be used as a trailer; decoding it again would end the same way.

    The fault is in the video, not in the machine. Equal files give equal messages: one sentence,
    without paths.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        """A short name of the kind of fault, such as `truncated`."""
        self.message = message
        """What is wrong, in one sentence."""

    def __str__(self) -> str:
        """Return the sentence."""
        return self.message
