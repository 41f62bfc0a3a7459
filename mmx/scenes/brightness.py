"""PySceneDetect's detectors by brightness: of fades, and of changes of the histogram."""

from array import array
from bisect import bisect_left
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from scenedetect.detectors import HistogramDetector, ThresholdDetector

from mmx.params import ScenesParams
from mmx.scenes.frame_number import FrameNumber


class Fades(ThresholdDetector):
    """Cuts in the dark between two shots, where the mean of all values is below the threshold."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.levels: array[float] = array("d")
        self.numbers: array[int] = array("q")

    def process_frame(self, frame_num: FrameNumber, frame_img: np.ndarray) -> list[FrameNumber]:
        """Take the next frame (BGR) and return the cut before it, if it ends a dark stretch."""
        self.numbers.append(frame_num)
        self.levels.append(float(np.mean(frame_img)))
        return [self._frame(cut) for cut in super().process_frame(frame_num, frame_img)]

    def finish(self) -> list[FrameNumber]:
        """Return where the video fades out for good, as PySceneDetect's command does."""
        cuts = self.post_process(self.numbers[-1])
        return [self._frame(cut) for cut in cuts if cut > self.numbers[0]]

    def cut_score(self, cut: int) -> float:
        """Return the mean of the frame's values, 0 to 255."""
        return self.levels[cut]

    def _frame(self, number: int) -> FrameNumber:
        """Return the first frame that is not before `number`, which may be between two."""
        found = FrameNumber(number)
        found.index = bisect_left(self.numbers, number)
        return found


class Histogram(HistogramDetector):
    """Cuts where the histogram of brightness correlates less with the one before."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.scores: array[float] = array("d")

    def process_frame(self, frame_num: FrameNumber, frame_img: np.ndarray) -> list[FrameNumber]:
        """Take the next frame (BGR) and return it if it opens a shot."""
        before = self._last_hist
        cuts: list[FrameNumber] = super().process_frame(frame_num, frame_img)
        last = self._last_hist if before is None else before
        self.scores.append(1.0 - cv2.compareHist(last, self._last_hist, cv2.HISTCMP_CORREL))
        return cuts

    def finish(self) -> list[FrameNumber]:
        """Return the cuts that were waiting for the end: none."""
        return []

    def cut_score(self, cut: int) -> float:
        """Return 1 minus the correlation of the two histograms."""
        return self.scores[cut]


def new_detector(params: ScenesParams, weights: Mapping[str, Path]) -> Fades | Histogram:
    """Return a fresh detector of the kind that `params` names."""
    common = {"threshold": params.threshold, "min_scene_len": params.min_scene_len}
    if params.detector == "histogram":
        return Histogram(bins=params.bins, **common)
    return Fades(fade_bias=params.fade_bias, add_final_scene=True, **common)
