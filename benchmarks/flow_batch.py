"""The PyTorch solver on a device, against the compiled one on the same pairs of frames."""

import time
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch

from mmx.flow.batch import tvl1_batch
from mmx.flow.dual_tvl1 import TVL1
from mmx.flow.item import BATCH

FramePair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class BatchFigures:
    """What PyTorch took, and what came out."""

    device: str
    pairs: int
    equal: int
    """Pairs whose flow is that of the compiled solver to the last bit."""
    farthest: float
    """Largest difference of any number of any pair, in pixels."""
    ms: float
    """By the clock, per pair, after one pair of each size to warm up."""

    def line(self) -> str:
        """Return a line for people."""
        return (
            f"PyTorch on {self.device}, {BATCH} pairs at once: {self.ms:.1f} ms a pair; equal to "
            f"the compiled solver to the last bit: {self.equal} of {self.pairs} pairs, at most "
            f"{self.farthest:.2g} px apart"
        )


def measure_batches(pairs: list[FramePair], device: str) -> BatchFigures:
    """Compute pairs in batches of one size each on `device`, and each by the compiled solver."""
    equal, farthest, seconds = 0, 0.0, 0.0
    for _, group in groupby(sorted(pairs, key=shape), key=shape):
        alike = list(group)
        solve(alike[:1], device)
        for start in range(0, len(alike), BATCH):
            batch = alike[start : start + BATCH]
            flows, spent = solve(batch, device)
            seconds += spent
            differences = [difference(flow, pair) for flow, pair in zip(flows, batch, strict=True)]
            equal += sum(each == 0.0 for each in differences)
            farthest = max(farthest, *differences)
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    return BatchFigures(name, len(pairs), equal, farthest, 1000 * seconds / len(pairs))


def shape(pair: FramePair) -> tuple[int, int]:
    """Return the size of a pair's frames."""
    return pair[0].shape


def solve(pairs: list[FramePair], device: str) -> tuple[np.ndarray, float]:
    """Return the flow of pairs of one size, and the seconds from frames to flow in memory."""
    prev, next_ = (torch.from_numpy(np.stack(frames)) for frames in zip(*pairs, strict=True))
    start = time.perf_counter()
    flow = tvl1_batch(prev, next_, device=device).cpu().numpy()
    return flow, time.perf_counter() - start


def difference(flow: np.ndarray, pair: FramePair) -> float:
    """Return the largest difference to what the compiled solver gives."""
    return float(np.abs(flow - TVL1(*shape(pair)).flow(*pair)).max())
