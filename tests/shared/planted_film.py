"""Small films of textures that drift, cut where a test says, and PySceneDetect's own command."""

import csv
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np

SIZE = (160, 96)


def shot(seed: int, length: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return a texture of one shot that drifts by a pixel per frame, N x height x width x 3."""
    rng = np.random.default_rng(seed)
    width, height = size
    coarse = rng.integers(0, 256, (6, 10, 3), dtype=np.uint8)
    texture = cv2.resize(coarse, (width + length, height), interpolation=cv2.INTER_CUBIC)
    return np.stack([texture[:, i : i + width] for i in range(length)])


def shots(cuts: Sequence[int], total: int = 150, **options: tuple[int, int]) -> np.ndarray:
    """Return the frames of a video that is cut at `cuts`."""
    spans = pairwise([0, *cuts, total])
    return np.concatenate([shot(i, b - a, **options) for i, (a, b) in enumerate(spans)])


def write(
    path: Path,
    frames: np.ndarray,
    ticks: Sequence[int] | None = None,
    aspect: Fraction = Fraction(1),
) -> Path:
    """Write frames as nearly lossless H.264 at 25 per second, or at `ticks` in milliseconds.

    `aspect`: width of a pixel by its height.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv444p"
        stream.codec_context.sample_aspect_ratio = aspect
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.options = {"crf": "10", "preset": "ultrafast"}
        for index, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.time_base = Fraction(1, 1000)
            frame.pts = 40 * index if ticks is None else ticks[index]
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


COLUMNS = {
    "content": "content_val",
    "adaptive": "adaptive_ratio (w=2)",
    "threshold": "average_rgb",
    "hist": "hist_diff [bins=256]",
}
"""Where the command writes what each detector measures."""


def command(video: Path, out: Path, detector: str, *options: str) -> dict[int, float]:
    """Return PySceneDetect's cuts of `video` (frames from 0, as it counts) with their scores."""
    out.mkdir()
    subprocess.run(
        [
            sys.executable, "-m", "scenedetect", "-q", "-b", "pyav", "-i", video, "-o", out,
            "-s", "stats.csv", "-m", "15", f"detect-{detector}", *options, "list-scenes", "-s",
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    with open(next(out.glob("*-Scenes.csv"))) as file:
        cuts = [int(row["Start Frame"]) - 1 for row in csv.DictReader(file)][1:]
    with open(out / "stats.csv") as file:
        stats = {int(row["Frame Number"]) - 1: row for row in csv.DictReader(file)}
    return {cut: float(stats[cut][COLUMNS[detector]]) for cut in cuts}
