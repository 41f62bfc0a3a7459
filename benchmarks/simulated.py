"""A collection of simulated trailers that goes through the real engine and the real DVC.

    python -m benchmarks.simulated STEP      what the stages of a simulated project run

Videos are a few hundred bytes; each step derives small, deterministic results from them with its
real inputs, parameters, file counts and table layouts, in no time. So what is measured, killed or
damaged is everything but the arithmetic.
"""

import configparser
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

import mmx.pipeline
from mmx.collection import split_collection
from mmx.errors import plain_errors
from mmx.items.canonical import file_digest
from mmx.items.rows import write_rows
from mmx.items.run import Recipe
from mmx.items.shards import write_parquet
from mmx.layout import Layout
from mmx.media.clip import Clip
from mmx.params import Params
from mmx.project import Project, open_project
from mmx.steps import Step, all_tools, find_step
from mmx.tools import write_tools

ROOT = Path(__file__).resolve().parent.parent
STAGES = ("ingest", "scenes", "audio", "flow", "embed", "features", "split")
WIDTH = 16
SLOW = "MMX_SIMULATED_SECONDS"
"""Environment variable: seconds that each item takes, so that a run can be killed in the middle."""


def write_project(
    root: Path, trailers: int, workers: int = 2, experts: Collection[str] = ()
) -> None:
    """Lay out a simulated project in the new folder `root`, under git and DVC.

    experts: only these of the template's instead of all.
    """
    root.mkdir(parents=True)
    for name in (".dvc/config", ".dvcignore", ".gitignore", "params.yaml"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / name, root / name)
    link_with_cache(root / ".dvc" / "config")
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages()}, sort_keys=False))
    set_param(root, "run.workers", workers)
    if experts:
        known = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))["embed"]
        chosen = {name: known["experts"][name] for name in experts}
        set_param(root, "embed.experts", chosen)
    write_tools(Layout(root).tools, all_tools())
    for number in range(trailers):
        write_video(root, f"t{number:05d}")
    run(root, "git", "init", "-q", "-b", "main")
    run(root, "git", "config", "user.email", "simulated@example.org")
    run(root, "git", "config", "user.name", "simulated")
    commit(root, "a simulated collection")


def link_with_cache(path: Path) -> None:
    """Let DVC keep one inode for work tree and cache, whatever the template prefers."""
    config = configparser.ConfigParser()
    config.read(path)
    config["cache"]["type"] = '"hardlink,copy"'
    with path.open("w") as file:
        config.write(file)


def stages() -> dict[str, Any]:
    """The real dvc.yaml as far as the feature store and the split; of mmx/ only tools.yaml."""
    real = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    found = {}
    for name in STAGES:
        stage = real[name].get("do", real[name])
        step = "embed@${key}" if name == "embed" else name
        stage["cmd"] = f"{sys.executable} -m benchmarks.simulated {step}"
        stage["deps"] = [dep for dep in stage["deps"] if dep == "mmx" or dep.startswith("data/")]
        if name == "ingest":
            stage["deps"] = ["data/videos", "mmx"]
        found[name] = real[name]
    return found


def write_video(root: Path, trailer: str, version: int = 0) -> None:
    """Write the bytes that stand for a trailer's video."""
    path = root / "data" / "videos" / f"{trailer}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = hashlib.sha256(f"{trailer} {version}".encode()).digest()
    path.write_bytes(seed * 10)


def set_param(root: Path, key: str, value: object) -> None:
    """Set a dotted key of params.yaml."""
    path = root / "params.yaml"
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    section = data
    *parents, last = key.split(".")
    for name in parents:
        section = section[name]
    section[last] = value
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")


def run(root: Path, *command: str, **environment: str) -> str:
    """Run a program in a project and return what it prints; RuntimeError with its errors."""
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def dvc(root: Path, *arguments: str, **environment: str) -> str:
    """Run DVC in a project."""
    return run(root, sys.executable, "-m", "dvc", *arguments, **environment)


def commit(root: Path, message: str) -> None:
    """Commit everything that git does not ignore."""
    run(root, "git", "add", "-A")
    run(root, "git", "commit", "-q", "--allow-empty", "-m", message)


def digest_rng(*parts: object) -> np.random.Generator:
    """A generator that depends on all parts and on nothing else."""
    text = "\0".join(map(str, parts))
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))


def wait() -> None:
    """Take as long as MMX_SIMULATED_SECONDS says."""
    import time

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
    *, video: Path, clips: list[Clip], params: Any, limits: Any, out: Path, device: str = "cpu"
) -> dict[str, Any]:
    """Draw a few hundred bytes from those of the video and the clips."""
    wait()
    rng = digest_rng(video.read_bytes(), clips, params.bound)
    (out / "flow.mkv").write_bytes(rng.bytes(600))
    return {"pairs": len(clips)}


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


def simulated(step: Step) -> Step:
    """The same step with a simulated recipe."""
    module = "benchmarks.simulated"
    recipes = {
        "scenes": Recipe(f"{module}:scenes_item"),
        "audio": Recipe(f"{module}:audio_item"),
        "flow": Recipe(f"{module}:flow_item"),
    }
    embed = Recipe(f"{module}:embed_items", job=f"{module}:Job")
    return replace(step, recipe=recipes.get(step.name, embed), rooms=(module,))


def simulated_step(name: str, params: Params) -> Step:
    """What the registry would return, simulated."""
    return simulated(find_step(name, params))


def install(patch: Callable[[object, str, object], None] = setattr) -> None:
    """Let the pipeline run simulated recipes in this process."""
    patch(mmx.pipeline, "find_step", simulated_step)


def ingest(project: Project) -> None:
    """Write trailers.parquet and sources.parquet from the videos alone."""
    layout = project.layout
    paths = sorted(layout.videos.glob("*.mp4"))
    names = [path.stem for path in paths]
    n = len(names)
    sources = {
        "trailer_id": names,
        "video": [f"videos/{path.name}" for path in paths],
        "sha256": [file_digest(path) for path in paths],
        "size": pa.array([path.stat().st_size for path in paths], pa.int64()),
        "duration_s": [60.0] * n,
        "width": pa.array([640] * n, pa.int32()),
        "height": pa.array([360] * n, pa.int32()),
        "fps": [24.0] * n,
        "frames": pa.array([1440] * n, pa.int64()),
        "has_audio": [True] * n,
    }
    genres = project.params.collection.genres
    labels = {
        "trailer_id": names,
        "title": names,
        "year": pa.array([2000] * n, pa.int32()),
        "genres": [[genres[int(digest_rng(name).integers(len(genres)))]] for name in names],
        "group_id": names,
        "video": sources["video"],
        "status": ["accepted"] * n,
        "reason": pa.array([None] * n, pa.string()),
    }
    write_parquet(pa.table(sources), layout.sources)
    write_parquet(pa.table(labels), layout.trailers)


def main(step: str) -> None:
    """Run one stage of the simulated project in the current folder."""
    # Imported here: the stage must find it whole, and tests want no stages.
    from stages.features import build_features

    project = open_project()
    whole = {"ingest": ingest, "features": build_features, "split": split_collection}
    if step in whole:
        whole[step](project)
        return
    install()
    outcome = mmx.pipeline.run_step(step, project)
    print(f"{step}: {len(outcome.computed)} computed, {len(outcome.reused)} reused")


if __name__ == "__main__":
    with plain_errors():
        main(sys.argv[1])
