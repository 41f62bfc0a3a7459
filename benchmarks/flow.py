"""Dual TV-L1: ours against OpenCV's, on the same pairs of frames in the same run.

    python -m benchmarks.flow --videos DIR [--pairs 40] [--short-sides 128 224 256] [--json FILE]
                              [--device cuda]

The pairs are consecutive frames inside clips, from all clips of all videos of the folder. Each
pair is computed by mmx and by OpenCV in turns, with one thread each. Processor time is compared,
which is more reliable than wall time on a shared machine; wall time is printed too. Then a share
of the pairs is computed with all cores: by processes of mmx and by threads of OpenCV, in wall
time.

If the mean end-point difference of a pair is above 0.05 pixels, two more figures are printed: the
TV-L1 energy of both solutions, and how much OpenCV's own result changes if the last bit of half
of the pixels does. The breakdown calls the solver's kernels one by one. Storage is measured on
the flow of the largest short side. With a GPU, or if a device is named, the PyTorch solver
computes all pairs too.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np

from benchmarks.flow_batch import BatchFigures, measure_batches
from benchmarks.flow_pairs import BOUND, Difference, Footage, compare, find_footage, nudge, thin
from benchmarks.flow_parts import (
    Parts,
    divider_nanoseconds_per_pixel,
    nanoseconds_per_pixel,
    take_apart,
)
from benchmarks.flow_storage import Way, measure_ways
from mmx.device import find_device
from mmx.flow.dual_tvl1 import TVL1
from mmx.flow.quantise import quantise

FRAMES = 37_866_450
"""Of the whole collection (section 4.1), approximately the number of pairs."""
DAY = 86400.0
CLEAR = 0.05
"""Mean difference in pixels above which more figures are printed."""
ROUNDS = 16
"""Times that every process computes the pairs in one measurement."""
REPEATS = 5
"""Measurements of one process and of all, in turns; the medians count."""


Result = TypeVar("Result")


@dataclass(frozen=True)
class Spent:
    """Seconds of one computation."""

    processor: float
    clock: float


@dataclass(frozen=True)
class Measured:
    """One pair, both ways."""

    name: str
    ours: Spent
    opencv: Spent
    difference: Difference
    opencv_itself: Difference | None
    """OpenCV's answer to the nudged frames by its answer to the frames, where ours differs."""


@dataclass(frozen=True)
class AllCores:
    """Seconds by the clock; every process computes the pairs several times."""

    cores: int
    pairs: int
    one_process: float
    processes: float
    opencv_one_thread: float
    opencv_threads: float

    @property
    def scaling(self) -> float:
        """How many times the pairs of one process all of them compute in the same time."""
        return self.cores * self.one_process / self.processes

    @property
    def ratio(self) -> float:
        """OpenCV's time for a pair by ours, all cores each."""
        return self.opencv_threads * ROUNDS * self.cores / self.processes


@dataclass(frozen=True)
class Figures:
    """What was measured at one short side."""

    short_side: int
    pairs: list[Measured]
    parts: Parts
    cores: AllCores

    def total(self, way: str, kind: str = "processor") -> float:
        """Return the seconds that all pairs took."""
        seconds: float = sum(getattr(getattr(pair, way), kind) for pair in self.pairs)
        return seconds

    def core_days(self, way: str) -> float:
        """Return what the whole collection takes."""
        return self.total(way) / len(self.pairs) * FRAMES / DAY

    def lines(self) -> str:
        """Return the figures for people."""
        return "\n  ".join([*self._speed(), *self._agreement(), *self._whole()])

    def _speed(self) -> list[str]:
        count, ours, theirs = len(self.pairs), self.total("ours"), self.total("opencv")
        clock = self.total("opencv", "clock") / self.total("ours", "clock")
        ratios = [pair.opencv.processor / pair.ours.processor for pair in self.pairs]
        return [
            f"short side {self.short_side}, {count} pairs, one thread: ours "
            f"{1000 * ours / count:.1f} ms, OpenCV {1000 * theirs / count:.1f} ms a pair",
            f"ratio {theirs / ours:.1f} (by the clock {clock:.1f}; single pairs {min(ratios):.1f} "
            f"to {max(ratios):.1f})",
        ]

    def _agreement(self) -> list[str]:
        means = np.array([pair.difference.mean for pair in self.pairs])
        tails = np.array([pair.difference.p99 for pair in self.pairs])
        levels = np.mean([pair.difference.levels for pair in self.pairs])
        far = [(pair, pair.opencv_itself) for pair in self.pairs if pair.opencv_itself]
        return [
            f"end-point difference, mean of a pair: median pair {np.median(means):.4f} px, 95 % of "
            f"pairs {np.percentile(means, 95):.4f}, all {means.mean():.4f}; 99th percentile of its "
            f"pixels: median pair {np.median(tails):.4f}",
            f"equal to the last bit: {sum(means == 0.0)} of {len(means)} pairs",
            f"above {CLEAR} px: {len(far)} pairs",
            *(
                f"  {pair.name}: ours by OpenCV's {pair.difference.mean:.3f} px, energy "
                f"{pair.difference.energy:.4f}; OpenCV's by its own after a change of last bits "
                f"{itself.mean:.3f} px, energy {itself.energy:.4f}"
                for pair, itself in far
            ),
            f"8-bit values more than one level apart: {levels:.3%}",
        ]

    def _whole(self) -> list[str]:
        parts, cores = self.parts, self.cores
        return [
            f"a pair of ours: iterations {parts.iterations:.1f} ms ({parts.pixel_iterations:.1f} M "
            f"pixel-iterations), warp {parts.warp:.1f}, median {parts.median:.1f}, rest "
            f"{parts.rest:.1f}",
            f"all cores, {cores.pairs} pairs: "
            f"our processes {cores.scaling:.2f} times one, OpenCV's "
            f"threads {cores.opencv_one_thread / cores.opencv_threads:.2f} times one; "
            f"ratio {cores.ratio:.1f}",
            f"{FRAMES:,} frames: ours {self.core_days('ours'):.1f} core-days, OpenCV "
            f"{self.core_days('opencv'):.1f}",
        ]


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--short-sides", type=int, nargs="+", default=[128, 224, 256])
    parser.add_argument("--device", help="of the PyTorch solver; by default a GPU if there is one")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    footage = find_footage(options.videos, options.pairs)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, OpenCV "
        f"{cv2.__version__}; {sum(f.clips for f in footage)} clips of {len(footage)} videos"
    )
    device = options.device or ("cuda" if find_device("auto") == "cuda" else "")
    figures, batches = [], []
    for short_side in options.short_sides:
        figures.append(measure(footage, short_side))
        print(figures[-1].lines(), flush=True)
        if device:
            pairs = [(prev, next_) for _, prev, next_ in frames(footage, short_side)]
            batches.append(measure_batches(pairs, device))
            print(f"  {batches[-1].line()}", flush=True)
    iteration, ways = at_best(), storage(thin(footage, 64), max(options.short_sides))
    print(
        "an iteration alone, best case, ns per pixel: "
        + ", ".join(f"{size} {ns:.2f}" for size, ns in iteration.items())
    )
    print("\n".join(map(storage_line, ways)))
    if options.json:
        lists: dict[str, Sequence[Figures | BatchFigures | Way]] = {
            "short_sides": figures,
            "batches": batches,
            "storage": ways,
        }
        data = {name: [asdict(each) for each in listed] for name, listed in lists.items()}
        options.json.write_text(json.dumps({**data, "iteration_ns": iteration}, indent=1))


def measure(footage: list[Footage], short_side: int) -> Figures:
    """Return the figures at one short side."""
    some = [(prev, next_) for _, prev, next_ in frames(thin(footage, 16), short_side)]
    return Figures(
        short_side=short_side,
        pairs=[measure_pair(*pair) for pair in frames(footage, short_side)],
        parts=take_apart(some),
        cores=measure_cores(some),
    )


def frames(footage: list[Footage], short_side: int) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return name and frames of all pairs."""
    return [pair for each in footage for pair in each.read(short_side)]


def measure_pair(name: str, prev: np.ndarray, next_: np.ndarray) -> Measured:
    """Compute a pair both ways; ours in work space that is there already, as in the step."""
    solver = TVL1(*prev.shape)
    solver.flow(prev[:, ::-1], prev[:, ::-1])
    ours, spent = timed(lambda: solver.flow(prev, next_))
    reference = opencv_solver()
    theirs, spent_theirs = timed(lambda: reference.calc(prev, next_, None))
    difference = compare(prev, next_, ours, theirs)
    if difference.mean <= CLEAR:
        return Measured(name, spent, spent_theirs, difference, None)
    again = reference.calc(nudge(prev, 0), nudge(next_, 1), None)
    return Measured(name, spent, spent_theirs, difference, compare(prev, next_, again, theirs))


def timed(function: Callable[[], Result]) -> tuple[Result, Spent]:
    """Return a result and what it took."""
    clock, processor = time.perf_counter(), time.thread_time()
    result = function()
    return result, Spent(time.thread_time() - processor, time.perf_counter() - clock)


def measure_cores(pairs: list[tuple[np.ndarray, np.ndarray]]) -> AllCores:
    """Compute the same pairs by one and by all cores, both ways.

    Every process computes all pairs, each beginning elsewhere, as the step's workers do with the
    trailers that they are handed.
    """
    cores = os.cpu_count() or 1
    begins = [worker * len(pairs) // cores for worker in range(cores)]
    turns = [pairs[begin:] + pairs[:begin] for begin in begins]
    # One thread in each, as in the step: OpenCV would share out even small resizes.
    start = get_context("spawn")
    with ProcessPoolExecutor(cores, start, cv2.setNumThreads, (1,)) as pool:
        list(pool.map(flow_of, turns))
        ways = (
            lambda: pool.submit(flow_of, pairs).result(),
            lambda: list(pool.map(flow_of, turns)),
        )
        clocks = [[timed(way)[1].clock for way in ways] for _ in range(REPEATS)]
    seconds = {}
    for threads in (1, cores):
        cv2.setNumThreads(threads)
        reference = opencv_solver()
        _, spent = timed(lambda: [reference.calc(*pair, None) for pair in pairs])  # noqa: B023
        seconds[threads] = spent.clock
    cv2.setNumThreads(1)
    one_process, processes = np.median(clocks, axis=0).tolist()
    return AllCores(cores, len(pairs), one_process, processes, seconds[1], seconds[cores])


def opencv_solver() -> Any:
    """Return OpenCV's solver, which its types leave out."""
    return cv2.optflow.DualTVL1OpticalFlow_create()  # type: ignore[attr-defined]


def flow_of(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Compute pairs in a worker, several times, in work space that is there already."""
    solvers = {prev.shape: TVL1(*prev.shape) for prev, _ in pairs}
    for _ in range(ROUNDS):
        for prev, next_ in pairs:
            solvers[prev.shape].flow(prev, next_)


def at_best() -> dict[str, float]:
    """Return nanoseconds per pixel of iterations, and of what they cannot do without."""
    whole = {
        f"{rows}x{width}, {count} at once": nanoseconds_per_pixel(rows, width, count)
        for rows, width in ((91, 216), (224, 527))
        for count in (1, 8)
    }
    return {**whole, "its divisions and roots alone": divider_nanoseconds_per_pixel()}


def storage(footage: list[Footage], short_side: int) -> list[Way]:
    """Measure the ways to keep flow on a share of the pairs."""
    images = []
    for each in footage:
        images += [
            quantise(TVL1(*prev.shape).flow(prev, next_), BOUND)
            for _, prev, next_ in each.read(short_side)
        ]
    return measure_ways(images)


def storage_line(way: Way) -> str:
    """Return a line for people."""
    return (
        f"{way.name:32} {way.bytes:8.0f} bytes a pair, {way.bytes * FRAMES / 1e12:5.2f} TB; write "
        f"{way.write_ms:5.2f} ms, read {way.read_ms:5.2f} ms{'' if way.lossless else ' (differs)'}"
    )


if __name__ == "__main__":
    main()
