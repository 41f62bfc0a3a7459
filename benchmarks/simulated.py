"""A collection of simulated trailers that goes through the real engine and the real DVC.

Videos are a few hundred bytes; each step derives small, deterministic results from them
(benchmarks/simulated_items.py) with its real inputs, parameters, file counts and table layouts, in
no time. So everything but the arithmetic is measured, killed or damaged. The stages of a
simulated project run `python -m benchmarks.simulated_stage STEP`.
"""

import configparser
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from benchmarks.simulated_items import digest_rng
from mmx.engine.canonical import file_digest
from mmx.engine.parquet import write_parquet
from mmx.engine.run import Recipe
from mmx.layout import Layout
from mmx.pipeline import registry
from mmx.pipeline.registry import all_steps as real_steps
from mmx.pipeline.registry import all_tools, run_step
from mmx.pipeline.step import Step, TrailerStep
from mmx.project import Project, open_project
from mmx.tools import write_tools

ROOT = Path(__file__).resolve().parent.parent
STAGES = ("ingest", "scenes", "audio", "flow", "stills", "embed", "features", "split")


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
    """Let DVC keep one inode for work tree and cache, in place of the template's setting."""
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
        stage["cmd"] = f"{sys.executable} -m benchmarks.simulated_stage {step}"
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


def write_manifest(root: Path) -> None:
    """Pin the videos that there are in a manifest; the simulated pipeline itself needs none."""
    # Imported here: it comes with what decodes videos, and no simulated stage does.
    from mmx.trailers.manifest import COLUMNS, write_records

    empty = dict.fromkeys(COLUMNS, "")
    records = [
        {**empty, "trailer_id": path.stem, "video": path.name, "sha256": file_digest(path)}
        for path in sorted((root / "data" / "videos").iterdir())
    ]
    write_records(Layout(root).manifest, (), records)


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


def simulated(step: Step) -> Step:
    """The same step with a simulated recipe, if it is one of trailers."""
    if not isinstance(step, TrailerStep):
        return step
    module = "benchmarks.simulated_items"
    recipes = {
        "scenes": Recipe(f"{module}:scenes_item"),
        "audio": Recipe(f"{module}:audio_item"),
        "flow": Recipe(f"{module}:flow_item"),
        "stills": Recipe(f"{module}:stills_item"),
    }
    embed = Recipe(f"{module}:embed_items", job=f"{module}:Job")
    return replace(step, recipe=recipes.get(step.name, embed), modules=())


def install(patch: Callable[[object, str, object], None] = setattr) -> None:
    """Let the pipeline run simulated recipes in this process."""
    patch(registry, "all_steps", lambda params: list(map(simulated, real_steps(params))))


def ingest(project: Project) -> None:
    """Write trailers.parquet and sources.parquet from the videos alone."""
    layout = project.layout
    paths = sorted(layout.videos.glob("*.mp4"))
    names = [path.stem for path in paths]
    n = len(names)
    digests = [file_digest(path) for path in paths]
    sources = {
        "trailer_id": names,
        "video": [f"videos/{path.name}" for path in paths],
        "sha256": digests,
        "size": pa.array([path.stat().st_size for path in paths], pa.int64()),
        "video_digest": digests,
        "sound_digest": digests,
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


def run_stage(name: str) -> None:
    """Run one stage of the simulated project in the current folder."""
    project = open_project()
    if name == "ingest":
        ingest(project)
        return
    install()
    outcome = run_step(name, project)
    if outcome:
        print(f"{name}: {len(outcome.computed)} computed, {len(outcome.reused)} reused")
