"""A cluster on this machine beside the local pool: equal bytes, and what the cluster costs.

    python -m benchmarks.cluster --trailers 16 --short-side 256

Two nodes of one CPU each and a head of none; one node, or both with --blind 2, sees no file of the
head, so that everything travels. Prints CPU-seconds of workers, transfer, driver and daemons beside
those of the local pool, bytes moved, and every file that differs. Exit code 1 if one does.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
STEPS = ("scenes", "audio", "flow", "embed@lite_appearance", "embed@lite_scene",
         "embed@lite_motion", "embed@lite_audio")  # fmt: skip
KINDS = (("workers", r"ray::NodeWorker"), ("transfer", r"ray::HeadFiles"),
         ("daemons", r"raylet|gcs_server|ray/dashboard|ray/_private|ray::IDLE"))  # fmt: skip
"""Processes of a cluster by their command line."""
TICKS = os.sysconf("SC_CLK_TCK")


class Meter:
    """CPU-seconds of a cluster's processes, read while they live."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Meter":
        """Begin."""
        self._read()
        self._before = dict(self._seen)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._read()
        self._ended.set()
        self._thread.join()

    def seconds(self) -> dict[str, float]:
        """Return CPU-seconds since the beginning, by kind of process."""
        found: dict[str, float] = defaultdict(float)
        for key, used in self._seen.items():
            found[key[0]] += used - self._before.get(key, 0.0)
        return found

    def _watch(self) -> None:
        while not self._ended.wait(0.2):
            self._read()

    def _read(self) -> None:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except (OSError, UnicodeDecodeError):
                continue
            kind = next((name for name, like in KINDS if re.search(like, command)), "")
            if kind:
                self._seen[kind, folder.name] = (int(fields[11]) + int(fields[12])) / TICKS


def make_project(top: Path, trailers: int, short_side: int) -> Path:
    """Return a copy of this working tree with a generated collection, ingested."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, top / name)
    params = top / "params.yaml"
    text = params.read_text()
    params.write_text(re.sub(r"(?m)^  short_side: \d+", f"  short_side: {short_side}", text))
    run(top, "mmx", "sample", "sample", "--n", str(trailers))
    run(top, "mmx", "init", "--videos", "sample/videos", "--labels", "sample/labels.csv")
    run(top, "stages.run", "ingest")
    return top


def run(top: Path, module: str, *arguments: str, **environment: str) -> tuple[float, str]:
    """Run a module in a project; return its CPU-seconds, children too, and what it said."""
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=top, env={**os.environ, "PYTHONPATH": str(top), **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    after = os.times()
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)}: {done.stdout}{done.stderr}")
    used = after.children_user + after.children_system
    return used - before.children_user - before.children_system, done.stderr


def results(top: Path) -> dict[str, bytes]:
    """Return the bytes of every output and receipt by its path."""
    return {
        path.relative_to(top).as_posix(): path.read_bytes()
        for name in ("clips", "audio", "flow", "embeddings")
        for path in sorted((top / "data" / name).rglob("*"))
        if path.is_file()
    }


def run_steps(top: Path, **environment: str) -> dict[str, float]:
    """Run scenes to embed; print what each stage says; return its CPU-seconds by name."""
    used = {}
    for step in STEPS:
        begun = time.monotonic()
        used[step], said = run(top, "stages.run", step, **environment)
        line = said.strip().rpartition("\n")[2]
        print(f"  {line}; stage {time.monotonic() - begun:.1f} s", flush=True)
    return used


def main() -> int:
    """Run both pools and compare."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trailers", type=int, default=16)
    parser.add_argument("--short-side", type=int, default=256, help="of the flow, in pixels")
    parser.add_argument("--blind", type=int, default=1, choices=(0, 1, 2), help="blind nodes")
    given = parser.parse_args()
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory(prefix="mmx-cluster-") as name:
        near, far = Path(name, "near"), Path(name, "far")
        make_project(near, given.trailers, given.short_side)
        shutil.copytree(near, far, symlinks=True)
        print("local pool")
        local = run_steps(near, MMX_RUN_WORKERS="2")
        # Nodes compute with the project's code, which both copies have.
        os.environ["PYTHONPATH"] = str(far)
        cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
        )
        for number in range(2):
            cache = {"MMX_NODE_CACHE": str(Path(name, f"cache{number}"))}
            hidden = {"MMX_NODE_SHARED": "0"} if number < given.blind else {}
            cluster.add_node(num_cpus=1, env_vars={**cache, **hidden})
        print(f"cluster, {given.blind} of 2 nodes blind")
        with Meter() as meter:
            remote = run_steps(far, MMX_RUN_ENGINE="ray", MMX_RUN_ADDRESS=cluster.address)
        cluster.shutdown()
        expected, found = results(near), results(far)
        different = [path for path in expected | found if expected.get(path) != found.get(path)]
    print(f"local pool: {sum(local.values()):.1f} CPU-seconds, flow {local['flow']:.1f}")
    cost = {**meter.seconds(), "driver": sum(remote.values())}
    print("cluster: " + ", ".join(f"{kind} {used:.1f}" for kind, used in sorted(cost.items())))
    print(f"{len(expected) - len(different)} of {len(expected)} files equal", *different, sep="\n")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
