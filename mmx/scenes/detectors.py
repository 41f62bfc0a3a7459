"""PySceneDetect's detectors, made to remember each frame's true index and score."""

from array import array
from fractions import Fraction

import numpy as np
from scenedetect.detectors import AdaptiveDetector, ContentDetector

from mmx.media.frames import Frame
from mmx.params import ScenesParams


class FrameNumber(int):
    """A frame's number by time, as detectors count, that remembers the frame's true index."""

    index: int

    @classmethod
    def of(cls, frame: Frame, rate: Fraction) -> "FrameNumber":
        """Return round(time * rate), with the index of `frame`."""
        number = cls(round(frame.time * rate))
        number.index = frame.index
        return number


class _Scored(ContentDetector):
    """Keeps the content score of every frame that a detector sees, by index."""

    def __init__(self, **options: float) -> None:
        super().__init__(**options)
        self.scores: array[float] = array("d")

    def process_frame(self, frame_num: FrameNumber, frame_img: np.ndarray) -> list[FrameNumber]:
        """Take the next frame (BGR) and return the cuts that it decides."""
        cuts: list[FrameNumber] = super().process_frame(frame_num, frame_img)
        self.scores.append(self._frame_score)
        return cuts


class Content(_Scored):
    """Cuts where hue, saturation and brightness change by more than the threshold on average."""

    def cut_score(self, cut: int) -> float:
        """Return the mean change of a pixel's hue, saturation and value, each of 0 to 255."""
        return self.scores[cut]


class Adaptive(_Scored, AdaptiveDetector):
    """Cuts where a frame changes more than its neighbours by the threshold's ratio."""

    def cut_score(self, cut: int) -> float:
        """Return the frame's change over the mean change of its neighbours, at most 255."""
        near = range(cut - self.window_width, cut + self.window_width + 1)
        around = sum(self.scores[i] for i in near if i != cut) / (2.0 * self.window_width)
        return min(self.scores[cut] / around, 255.0) if around >= 1e-5 else 255.0


def new_detector(params: ScenesParams) -> Content | Adaptive:
    """Return a fresh detector of the kind and threshold that the section asks for."""
    if params.detector == "adaptive":
        return Adaptive(adaptive_threshold=params.threshold, min_scene_len=params.min_scene_len)
    return Content(threshold=params.threshold, min_scene_len=params.min_scene_len)
