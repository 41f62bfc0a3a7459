"""The recipes of a simulated collection: what each step computes of a trailer, in no time."""

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mmx.engine.rows import write_rows
from mmx.media.clip import Clip

WIDTH = 16
SLOW = "MMX_SIMULATED_SECONDS"
"""Environment variable: seconds that each item takes, so that a run can be killed in the middle."""


def digest_rng(*parts: object) -> np.random.Generator:
    """A generator that depends on all parts and on nothing else."""
    text = "\0".join(map(str, parts))
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))


def wait() -> None:
    """Take as long as MMX_SIMULATED_SECONDS says."""
    time.sleep(float(os.environ.get(SLOW, "0")))


def scenes_item(*, video: Path, params: Any, limits: Any, out: Path) -> dict[str, Any]:
    """Draw ten to fourteen clips from the bytes of the video."""
    wait()
    rng = digest_rng(video.read_bytes(), params.threshold)
    lengths = rng.integers(20, 60, 10 + int(rng.integers(5)))
    stops = np.cumsum(lengths)
    starts = stops - lengths
    columns = {
        "clip": pa.array(range(len(lengths)), pa.int32()),
        "start": pa.array(starts, pa.int64()),
        "stop": pa.array(stops, pa.int64()),
        "start_s": pa.array(starts / 24),
        "stop_s": pa.array(stops / 24),
        "cut_score": pa.array(27 + rng.random(len(lengths))),
    }
    write_rows(out, pa.table(columns))
    return {"clips": len(lengths)}


def audio_item(*, video: Path, params: Any, limits: Any, out: Path) -> dict[str, Any]:
    """Draw a few hundred bytes from those of the video."""
    wait()
    (out / "audio.wav").write_bytes(digest_rng(video.read_bytes(), params.rate).bytes(400))
    return {"silent": False}


def flow_item(
    *,
    video: Path,
    shown: tuple[int, int],
    clips: list[Clip],
    params: Any,
    limits: Any,
    out: Path,
    device: str = "cpu",
) -> dict[str, Any]:
    """Draw a few hundred bytes from those of the video and the clips."""
    wait()
    rng = digest_rng(video.read_bytes(), clips, params.bound)
    (out / "flow.mkv").write_bytes(rng.bytes(600))
    return {"pairs": len(clips)}


def stills_item(
    *, video: Path, clips: list[Clip], cells: Any, out: Path, **_: Any
) -> dict[str, Any]:
    """Draw a few hundred bytes from those of the video and the sizes."""
    wait()
    (out / "trailer.webp").write_bytes(digest_rng(video.read_bytes(), clips, cells).bytes(600))
    return {"clips": len(clips)}


@dataclass(frozen=True)
class Job:
    """What an embed step is given for one trailer."""

    expert: str
    source: Path
    clips: tuple[Clip, ...]
    params: Any
    weights: dict[str, Path]
    limits: Any
    rate: Any
    device: str
    out: Path


def embed_items(jobs: Iterable[Job]) -> Iterator[dict[str, Any]]:
    """Draw a vector per clip from the bytes of what the expert reads."""
    for job in jobs:
        wait()
        rng = digest_rng(job.source.read_bytes(), job.expert, job.params.frames_per_clip)
        count = len(job.clips)
        vectors = pa.array(rng.random(count * WIDTH, np.float32))
        columns = {
            "clip": pa.array(range(count), pa.int32()),
            "embedding": pa.FixedSizeListArray.from_arrays(vectors, WIDTH),
            "samples": pa.array([job.params.frames_per_clip] * count, pa.int32()),
            "padded": pa.array([0] * count, pa.int32()),
        }
        write_rows(job.out, pa.table(columns))
        yield {"clips": count}
