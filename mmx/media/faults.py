"""When a video cannot be used: the limits on it, and the one exception for all its faults."""

from dataclasses import dataclass

from mmx.errors import UserError


@dataclass(frozen=True)
class Limits:
    """Bounds on an untrusted video, checked before and while it is decoded."""

    max_seconds: float = 1800.0
    """Longest duration, in seconds, on the file's timeline."""
    max_pixels: int = 8192 * 4320
    """Largest picture, width times height, as stored and as shown."""
    max_aspect: float = 10.0
    """Longer side by the shorter, as stored and as shown, and of one pixel."""
    max_total_pixels: float = 2.5e11
    """Pixels of all pictures together."""
    max_rate: float = 300.0
    """Pictures per second, on average."""
    max_repeats: int = 100
    """Packets of pictures that lie where another one lies in the file."""
    max_sound_rate: int = 384_000
    """Hertz of the sound as stored."""
    max_channels: int = 24
    """Channels of the sound as stored."""
    max_concealed: float = 0.01
    """Largest share of pictures, and of packets of the sound, that are damaged or missing."""
    cpu_seconds_per_mb: float = 20.0
    """CPU seconds that reading a file may take per megabyte of it, beside a minute for any."""
    max_memory_gb: float = 4.0
    """Memory that reading a file may take, in units of 2^30 bytes."""


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
