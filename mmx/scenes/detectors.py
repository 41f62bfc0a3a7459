"""Detectors of cuts by name: what one is, and which module has it."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np

from mmx.params import ScenesParams
from mmx.scenes.frame_number import FrameNumber

MODULES = {
    "content": "mmx.scenes.content",
    "content-0.5": "mmx.scenes.content",
    "adaptive": "mmx.scenes.content",
    "threshold": "mmx.scenes.brightness",
    "histogram": "mmx.scenes.brightness",
    "transnetv2": "mmx.scenes.transnetv2",
}
"""Module that has a detector. By name, since a detector has no part in what another finds."""


class Detector(Protocol):
    """Takes frames one after the other and says where shots begin."""

    def process_frame(self, frame_num: FrameNumber, frame_img: np.ndarray) -> list[FrameNumber]:
        """Take the next frame (BGR) and return the cuts that are now certain."""

    def finish(self) -> list[FrameNumber]:
        """Return the cuts that were waiting for the end of the video."""

    def cut_score(self, cut: int) -> float:
        """Return what the detector measured at the frame with this index, which opens a shot."""


def new_detector(params: ScenesParams, weights: Mapping[str, Path]) -> Detector:
    """Return a fresh detector of the kind and threshold that `params` gives.

    `weights`: file name -> path, for a detector that is a network.
    """
    module = import_module(MODULES[params.detector])
    detector: Detector = module.new_detector(params, weights)
    return detector
