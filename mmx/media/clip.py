"""The clip: what every step after scene detection works on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Clip:
    """The frames between two cuts of a trailer (c in the paper, section 3)."""

    index: int
    """Position among the kept clips of its trailer, from 0."""
    start: int
    """First frame, as numbered by `mmx.media.frames`, from 0."""
    stop: int
    """One past the last frame; `stop > start`."""
    start_s: float
    """Presentation time of frame `start`, in seconds since the first frame of the video."""
    stop_s: float
    """End of the last frame's display, in seconds since the first frame of the video."""

    @property
    def length(self) -> int:
        """Number of frames."""
        return self.stop - self.start
