"""The cost of one changed trailer among thousands, for mmx and for a common alternative.

    python -m benchmarks.incremental --trailers 8803

Simulated trailers (benchmarks/simulated.py): real file counts and tables, small contents, the real
engine and the real DVC, up to the feature store. The alternative is a common design:
one stage per step with `persist: true` directories, and scripts that skip existing files. Where
its result is out of date, the table says so.
"""

import argparse
import cProfile
import io
import json
import os
import pstats
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import yaml

from benchmarks import simulated_items
from benchmarks.simulated import ROOT, commit, dvc, run, set_param, write_project, write_video
from mmx.audit.verify import verify
from mmx.engine.rows import read_rows
from mmx.media.clip import Clip
from mmx.project import Project, open_project

EXPERTS = ("lite_appearance", "lite_scene", "lite_motion", "lite_audio")
PARAMETER = "embed.experts.lite_scene.frames_per_clip"


@dataclass(frozen=True)
class Measured:
    """One scenario of one design."""

    design: str
    scenario: str
    wall_s: float
    cpu_s: float
    """User and system time of the program and all that it started."""
    peak_mib: float
    """Resident memory of its largest process."""
    items: int | None
    """Items computed; None if the design does not record it."""
    note: str = ""


@dataclass
class Bench:
    """A project being measured."""

    design: str
    root: Path
    count: Callable[[Path], int]
    """Items computed so far, from what the design leaves behind."""
    rows: list[Measured]

    def repro(self, scenario: str, note: str = "") -> None:
        """Measure one `dvc repro` and commit what it changed."""
        self.measure(scenario, [sys.executable, "-m", "dvc", "repro"], note)
        commit(self.root, scenario)

    def measure(self, scenario: str, command: list[str], note: str = "") -> None:
        """Run a program and record its cost."""
        before = self.count(self.root)
        wall, cpu, peak = measured_run(self.root, command)
        items = self.count(self.root) - before
        self.rows.append(Measured(self.design, scenario, wall, cpu, peak, items, note))
        print(line(self.rows[-1]), flush=True)


def measured_run(root: Path, command: list[str]) -> tuple[float, float, float]:
    """Return wall seconds, CPU seconds and peak MiB of a program; RuntimeError if it fails."""
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryFile() as told:
        started = time.monotonic()
        process = subprocess.Popen(command, cwd=root, env=environment, stdout=told, stderr=told)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if status:
            told.seek(0)
            raise RuntimeError(told.read()[-4000:].decode(errors="replace"))
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def line(row: Measured) -> str:
    """One line of the table."""
    items = "-" if row.items is None else str(row.items)
    return (
        f"{row.design:12s} {row.scenario:32s} {row.wall_s:9.1f} {row.cpu_s:9.1f} "
        f"{row.peak_mib:9.0f} {items:>8s}  {row.note}"
    )


def journal_entries(root: Path) -> int:
    """Items that our engine ever computed in a project."""
    return sum(len(path.read_bytes().splitlines()) for path in root.glob(".mmx/journal/*.jsonl"))


def scenarios(bench: Bench, trailers: int, notes: dict[str, str]) -> None:
    """First run, no-op, one added, one replaced, one parameter changed and reverted, a clone."""
    root = bench.root
    bench.repro("first run")
    bench.repro("no-op")
    write_video(root, f"t{trailers:05d}")
    bench.repro("one trailer added")
    write_video(root, "t00001", version=1)
    bench.repro("one trailer replaced", notes.get("replaced", ""))
    set_param(root, PARAMETER, 2)
    bench.repro("one expert's parameter changed", notes.get("parameter", ""))
    set_param(root, PARAMETER, None)
    bench.repro("parameter reverted", notes.get("parameter", ""))
    clone = clone_and_pull(bench)
    write_video(clone.root, f"t{trailers + 1:05d}")
    clone.repro("clone, pull, one trailer added")


def growth(bench: Bench, trailers: int) -> None:
    """First run, no-op, one added: what grows with the collection."""
    bench.repro("first run")
    bench.repro("no-op")
    write_video(bench.root, f"t{trailers:05d}")
    bench.repro("one trailer added")


def clone_and_pull(bench: Bench) -> Bench:
    """Push a project, clone it without its item store, pull, bring the videos along."""
    root, remote = bench.root, bench.root.with_name(f"{bench.root.name}-remote")
    clone = bench.root.with_name(f"{bench.root.name}-clone")
    dvc(root, "remote", "add", "--default", "backup", str(remote))
    commit(root, "a remote")
    dvc(root, "push")
    run(root.parent, "git", "clone", "-q", str(root), str(clone))
    run(clone, "git", "config", "user.email", "simulated@example.org")
    run(clone, "git", "config", "user.name", "simulated")
    shutil.copytree(root / "data/videos", clone / "data/videos", dirs_exist_ok=True)
    other = Bench(bench.design, clone, bench.count, bench.rows)
    other.measure("dvc pull in a clone", [sys.executable, "-m", "dvc", "pull"])
    return other


def measure_ours(
    folder: Path, trailers: int, workers: int, *, short: bool
) -> tuple[Bench, list[Measured]]:
    """Measure the real engine. short: only what grows with the collection."""
    root = folder / "ours"
    write_project(root, trailers, workers, EXPERTS)
    bench = Bench("ours", root, journal_entries, [])
    growth(bench, trailers) if short else scenarios(bench, trailers, {})
    for name, quick in (("mmx verify --quick", True), ("mmx verify", False)):
        bench.rows.append(measure_verify(open_project(root), name, quick))
        print(line(bench.rows[-1]), flush=True)
    return bench, bench.rows


def measure_verify(project: Project, name: str, quick: bool) -> Measured:
    """Measure a verification in this process."""
    cpu, wall = time.process_time(), time.monotonic()
    found = verify(project, quick=quick)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    note = f"{found.checked['files']} files, {len(found.findings)} findings"
    seconds = time.monotonic() - wall
    return Measured("ours", name, seconds, time.process_time() - cpu, peak, None, note)


def measure_alternative(folder: Path, trailers: int) -> tuple[Bench, list[Measured]]:
    """Measure `persist: true` directories whose scripts skip files that exist."""
    root = folder / "persist"
    write_project(root, trailers, 1, EXPERTS)
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": alternative_stages()}))
    commit(root, "persistent directories")
    bench = Bench("persist", root, alternative_items, [])
    stale = "out of date: the old results stay"
    scenarios(bench, trailers, {"replaced": stale, "parameter": stale})
    return bench, bench.rows


def alternative_items(root: Path) -> int:
    """Files that the alternative's scripts ever wrote."""
    path = root / ".dvc/tmp/written"
    return len(path.read_bytes()) if path.exists() else 0


def alternative_stages() -> dict[str, Any]:
    """One stage per step, each with a directory that DVC does not delete before it runs."""

    def stage(step: str, deps: list[str], params: list[str]) -> dict[str, Any]:
        return {
            "cmd": f"{sys.executable} -m benchmarks.incremental --alternative {step}",
            "deps": ["data/videos", *deps],
            "params": params,
            "outs": [{f"data/{step}": {"persist": True}}],
        }

    stages = {
        "clips": stage("clips", [], ["scenes.threshold"]),
        "audio": stage("audio", [], ["audio.rate"]),
        "flow": stage("flow", ["data/clips"], ["flow.bound"]),
    }
    reads = {"lite_motion": ["data/flow"], "lite_audio": ["data/audio"]}
    for name in EXPERTS:
        params = [f"embed.experts.{name}", "embed.frames_per_clip"]
        stages[name] = stage(name, ["data/clips", *reads.get(name, [])], params)
    joined = stage("features", [f"data/{name}" for name in EXPERTS], [])
    stages["features"] = joined | {"outs": ["data/features"]}
    return stages


def alternative_step(step: str) -> None:
    """Run one stage of the alternative in the current folder: what does not exist is made."""
    data = Path("data")
    out = data / step
    out.mkdir(exist_ok=True)
    if step == "features":
        names = sorted(EXPERTS)
        tables = [np.load(path) for name in names for path in sorted((data / name).glob("*.npy"))]
        np.save(out / "features.npy", np.concatenate(tables))
        return
    params = open_project().params
    written = 0
    for video in sorted((data / "videos").glob("*.mp4")):
        suffix = {"clips": ".arrow", "audio": ".wav", "flow": ".flow"}.get(step, ".npy")
        target = out / f"{video.stem}{suffix}"
        if not target.exists():
            make_one(step, video, data, target, params)
            written += 1
    with Path(".dvc/tmp/written").open("ab") as file:
        file.write(b"." * written)


def make_one(step: str, video: Path, data: Path, target: Path, params: Any) -> None:
    """Compute one trailer's file of one step of the alternative."""
    with tempfile.TemporaryDirectory(dir=data.parent / ".dvc/tmp") as name:
        out = Path(name)
        if step == "clips":
            simulated_items.scenes_item(video=video, params=params.scenes, limits=None, out=out)
        elif step == "audio":
            simulated_items.audio_item(video=video, params=params.audio, limits=None, out=out)
        else:
            clips = read_clips(data / "clips" / f"{video.stem}.arrow")
            if step == "flow":
                simulated_items.flow_item(
                    video=video,
                    shown=(0, 0),
                    clips=clips,
                    params=params.flow,
                    limits=None,
                    out=out,
                )
            else:
                embed_one(step, video, clips, params, out)
        (made,) = out.iterdir()
        if step in EXPERTS:
            flat = read_rows(made)["embedding"].combine_chunks().flatten()
            np.save(out / "vectors.npy", flat.to_numpy().reshape(-1, simulated_items.WIDTH))
            made = out / "vectors.npy"
        os.replace(made, target)


def embed_one(step: str, video: Path, clips: list[Clip], params: Any, out: Path) -> None:
    """Compute one trailer's embeddings of one expert."""
    sources = {"lite_motion": ("flow", ".flow"), "lite_audio": ("audio", ".wav")}
    folder, suffix = sources.get(step, ("videos", ".mp4"))
    source = Path("data") / folder / f"{video.stem}{suffix}"
    own = params.embed.experts[step].frames_per_clip
    frames = params.embed.frames_per_clip if own is None else own
    job = simulated_items.Job(
        expert=step,
        source=source,
        clips=tuple(clips),
        params=SimpleNamespace(frames_per_clip=frames),
        weights={},
        limits=None,
        rate="native",
        device="cpu",
        out=out,
    )
    list(simulated_items.embed_items([job]))


def read_clips(path: Path) -> list[Clip]:
    """Read the clips of one trailer."""
    rows = read_rows(path).to_pylist()
    return [
        Clip(row["clip"], row["start"], row["stop"], row["start_s"], row["stop_s"]) for row in rows
    ]


def profile_no_op(root: Path, lines: int = 12) -> str:
    """Return where a `dvc repro` with nothing to do spends its time, by function."""
    from dvc.repo import Repo

    profile = cProfile.Profile()
    here = Path.cwd()
    os.chdir(root)
    try:
        profile.runcall(lambda: Repo().reproduce())
    finally:
        os.chdir(here)
    text = io.StringIO()
    pstats.Stats(profile, stream=text).sort_stats("tottime").print_stats(lines)
    return text.getvalue()


def lock_size(root: Path) -> int:
    """Bytes of dvc.lock."""
    return (root / "dvc.lock").stat().st_size


def main() -> None:
    """Measure both designs and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trailers", type=int, default=8803)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where to work; on the disk to be measured")
    parser.add_argument("--only", choices=["ours", "persist"])
    parser.add_argument("--growth", action="store_true", help="first run, no-op, one added, verify")
    parser.add_argument("--profile", action="store_true", help="profile a no-op of ours")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    parser.add_argument("--alternative", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alternative:
        alternative_step(given.alternative)
        return
    heads = ("design", "scenario", "wall s", "CPU s", "peak MiB", "items")
    print("{:12s} {:32s} {:>9s} {:>9s} {:>9s} {:>8s}".format(*heads))
    rows: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="mmx-incremental-", dir=given.folder) as name:
        folder = Path(name)
        if given.only != "persist":
            bench, measured = measure_ours(
                folder, given.trailers, given.workers, short=given.growth
            )
            rows += measured
            print(f"dvc.lock: {lock_size(bench.root)} bytes")
            if given.profile:
                print(profile_no_op(bench.root))
        if given.only != "ours":
            rows += measure_alternative(folder, given.trailers)[1]
    if given.json:
        given.json.write_text(json.dumps([asdict(row) for row in rows], indent=2))


if __name__ == "__main__":
    main()
