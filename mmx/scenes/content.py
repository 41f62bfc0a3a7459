"""PySceneDetect's detectors by content, extended to keep each frame's true index and score."""

from array import array
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scenedetect.detectors import AdaptiveDetector, ContentDetector
from scenedetect.scene_detector import FlashFilter

from mmx.params import ScenesParams
from mmx.scenes.frame_number import FrameNumber


class _Scored(ContentDetector):
    """Keeps the content score of every frame that a detector sees, by index."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.scores: array[float] = array("d")

    def process_frame(self, frame_num: FrameNumber, frame_img: np.ndarray) -> list[FrameNumber]:
        """Take the next frame (BGR) and return the cuts that are now certain."""
        cuts: list[FrameNumber] = super().process_frame(frame_num, frame_img)
        self.scores.append(self._frame_score)
        return cuts

    def finish(self) -> list[FrameNumber]:
        """Return the cuts that were waiting for the end: none."""
        return []


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


class Content05(Content):
    """ContentDetector as PySceneDetect 0.5 had it, in 2020 and 2021.

    A cut that follows the last one too soon is left out, and no later one takes its place; before
    the first cut, a shot may be of any length.
    """

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.last: FrameNumber | None = None

    def process_frame(self, frame_num: FrameNumber, frame_img: np.ndarray) -> list[FrameNumber]:
        """Take the next frame (BGR) and return it if it opens a shot."""
        super().process_frame(frame_num, frame_img)
        soon = self.last is not None and frame_num - self.last < self._min_scene_len
        if self.scores[-1] < self._threshold or soon:
            return []
        self.last = frame_num
        return [frame_num]


def new_detector(params: ScenesParams, weights: Mapping[str, Path]) -> Content | Adaptive:
    """Return a fresh detector of the kind that `params` names."""
    common = {"min_scene_len": params.min_scene_len, "luma_only": params.luma_only}
    if params.detector == "adaptive":
        return Adaptive(
            adaptive_threshold=params.threshold,
            window_width=params.window_width,
            min_content_val=params.min_content_val,
            **common,
        )
    mode = FlashFilter.Mode[params.filter.upper()]
    kind = Content05 if params.detector == "content-0.5" else Content
    return kind(threshold=params.threshold, filter_mode=mode, **common)
