"""Numbers of frames by time, as detectors count, that know which frame they are."""

from fractions import Fraction

from mmx.media.frames import Frame


class FrameNumber(int):
    """A frame's number by time, as detectors count, that also has the frame's true index."""

    index: int

    @classmethod
    def of(cls, frame: Frame, rate: Fraction) -> "FrameNumber":
        """Return round(time * rate), with the index of `frame`."""
        number = cls(round(frame.time * rate))
        number.index = frame.index
        return number
