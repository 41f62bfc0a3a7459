"""Kill runs and flip bits, and check that no finished item is lost and no damage is kept.

    python -m benchmarks.torture kill --runs 50 --trailers 24 --seed 0
    python -m benchmarks.torture flip --bits 200 --trailers 24 --seed 0
    python -m benchmarks.torture flip --bits 200 --project DIR

Both work on a simulated collection (benchmarks/simulated.py) in a temporary folder, through the
real engine and the real DVC, and print a tally. Bits may also be flipped in a project that was
run to its end, models and reports included; it is repaired afterwards. Exit code 1 if there
are faults.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest
from pathlib import Path

from benchmarks.simulated import ROOT, commit, dvc, write_manifest, write_project
from benchmarks.simulated_items import SLOW
from mmx.audit.repair import repair
from mmx.audit.verify import Finding, verify
from mmx.dvc_state.history import History
from mmx.outputs import is_receipts
from mmx.project import Project, open_project

OUTPUTS = ("data/clips", "data/audio", "data/flow", "data/embeddings", "data/features",
           "data/sources.parquet", "data/trailers.parquet", "data/splits.parquet",
           "data/trailer_embeddings.parquet", "data/predictions.parquet",
           "data/sequence_predictions.parquet", "data/clip_predictions.parquet", "models/coarse",
           "models/fine",
           "reports/evaluation", "reports/evidence", "reports/index.html",
           "reports/metrics.json")  # fmt: skip
"""The outputs of `dvc repro`."""


@dataclass
class Tally:
    """Counts of events, and faults."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """One line per count, then the faults."""
        lines = [f"{count:6d} {name}" for name, count in self.counts.items()]
        return "\n".join([*lines, f"{len(self.faults):6d} faults", *self.faults])


@dataclass(frozen=True)
class Moment:
    """When a run is killed."""

    items: int
    """After so many items are done, and then"""
    seconds: float
    """so many seconds."""

    def __str__(self) -> str:
        """Return the text for a tally."""
        return f"killed {self.seconds:.2f} s after item {self.items}"


def outputs(root: Path) -> dict[str, bytes]:
    """Bytes of every output by its path."""
    found = {}
    for name in OUTPUTS:
        top = root / name
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and path.name != ".gitignore":
                found[path.relative_to(root).as_posix()] = path.read_bytes()
    return found


def differences(expected: dict[str, bytes], found: dict[str, bytes]) -> list[str]:
    """Names whose bytes differ, or that only one side has."""
    names = sorted(expected.keys() | found.keys())
    return [name for name in names if expected.get(name) != found.get(name)]


def journal(project: Project) -> Counter[tuple[str, str]]:
    """How often each (step, fingerprint) was computed."""
    steps = sorted(path.stem for path in (project.store.root / "journal").glob("*.jsonl"))
    entries = ((step, entry) for step in steps for entry in project.store.journal(step))
    return Counter((step, entry["fingerprint"]) for step, entry in entries)


def receipts(project: Project) -> set[str]:
    """Fingerprints that have a receipt in the store."""
    return {path.stem for path in (project.store.root / "receipts").glob("*/*/*.json")}


def kill_runs(
    folder: Path,
    runs: int,
    trailers: int,
    seed: int,
    seconds: float,
    experts: Collection[str] = (),
) -> Tally:
    """Kill `runs` runs at random moments, finish each, compare with an uninterrupted run.

    Every other one is killed by the clock, anywhere; the others soon after a random number of
    items is done, in the middle of the work however slow the machine is.
    """
    tally, chance = Tally(), random.Random(seed)
    whole = folder / "whole"
    write_project(whole, trailers, experts=experts)
    started = time.monotonic()
    dvc(whole, "repro", **{SLOW: str(seconds)})
    duration = time.monotonic() - started
    expected, items = outputs(whole), len(receipts(open_project(whole)))
    for number in range(runs):
        root = folder / f"killed{number}"
        write_project(root, trailers, experts=experts)
        by_clock = Moment(0, chance.uniform(0.05, 0.95) * duration)
        by_items = Moment(chance.randrange(1, items), chance.uniform(0.0, 0.5))
        kill_one(root, by_clock if number % 2 else by_items, seconds, expected, tally)
        shutil.rmtree(root)
    return tally


def kill_one(
    root: Path, moment: Moment, seconds: float, expected: dict[str, bytes], tally: Tally
) -> None:
    """Kill one run, with everything that it started, then finish it."""
    project = open_project(root)
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", SLOW: str(seconds)}
    process = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro"],
        cwd=root,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while process.poll() is None and len(receipts(project)) < moment.items:
        time.sleep(0.02)
    try:
        process.wait(moment.seconds)
        tally.counts["runs that ended before they were killed"] += 1
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        tally.counts["runs killed"] += 1
    finished, before = receipts(project), journal(project)
    finish(root, seconds, tally)
    tally.counts["items finished before the kill"] += len(finished)
    again = [item for item in (journal(project) - before) if item[1] in finished]
    tally.counts["items computed after the kill"] += (journal(project) - before).total()
    tally.counts["finished items computed again"] += len(again)
    tally.faults += [f"{moment}: {item} was computed again" for item in again]
    different = differences(expected, outputs(root))
    tally.counts["runs with other bytes than the uninterrupted one"] += bool(different)
    tally.faults += [f"{moment}: {name} has other bytes" for name in different]


def finish(root: Path, seconds: float, tally: Tally) -> None:
    """Run the next `dvc repro`, after `mmx repair` if DVC itself cannot go on."""
    try:
        dvc(root, "repro", **{SLOW: str(seconds)})
    except RuntimeError as error:
        if "RWLock-file" not in str(error):
            raise
        tally.counts["runs in which the kill broke DVC's own lock file"] += 1
        repair(open_project(root))
        dvc(root, "repro", **{SLOW: str(seconds)})


def artefacts(project: Project) -> list[Path]:
    """One name for each inode that holds a video, an output, a store or a DVC cache object."""
    root = project.layout.root
    folders = [root / name for name in OUTPUTS]
    folders += [project.layout.videos, project.store.root / "objects"]
    folders += [project.store.root / "receipts"]
    cache = History(root).cache
    folders += [cache.folder] if cache else []
    found: dict[tuple[int, int], Path] = {}
    for folder in folders:
        for path in [folder] if folder.is_file() else sorted(folder.rglob("*")):
            if path.is_file() and path.name != ".gitignore":
                found.setdefault((path.stat().st_dev, path.stat().st_ino), path)
    return list(found.values())


def choose(project: Project, bits: int, chance: random.Random) -> list[Path]:
    """Draw artefacts, each kind in turn: models are few files and receipts thousands."""
    kinds: dict[str, list[Path]] = defaultdict(list)
    for path in chance.sample(found := artefacts(project), len(found)):
        kinds[kind_of(path, project)].append(path)
    in_turn = chain.from_iterable(zip_longest(*(kinds[kind] for kind in sorted(kinds))))
    return list(islice(filter(None, in_turn), bits))


def flip(path: Path, chance: random.Random) -> None:
    """Flip one bit in place, and leave length and times as they were."""
    status = path.stat()
    os.chmod(path, 0o644)
    with path.open("r+b") as file:
        file.seek(chance.randrange(status.st_size))
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1 << chance.randrange(8)]))
    os.chmod(path, status.st_mode)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def kind_of(path: Path, project: Project) -> str:
    """The kind of artefact of a path, for the tally."""
    root = project.layout.root
    if path.is_relative_to(project.store.root):
        return f"store {path.relative_to(project.store.root).parts[0]}"
    if path.is_relative_to(root / ".dvc"):
        return "DVC cache"
    if is_receipts(path.as_posix()):
        return "receipts"
    top, *parts = path.relative_to(root).parts
    return parts[0] if top == "data" else top


def whole_project(folder: Path, trailers: int, experts: Collection[str] = ()) -> Path:
    """Return the top folder of a simulated project that has run to its end."""
    root = folder / "whole"
    write_project(root, trailers, experts=experts)
    write_manifest(root)
    dvc(root, "repro")
    commit(root, "whole")
    return root


def flip_bits(root: Path, bits: int, seed: int, batch: int = 20) -> Tally:
    """Flip a bit in each of `bits` artefacts, a batch at a time; find, repair, make again."""
    tally, chance = Tally(), random.Random(seed)
    expected = outputs(root)
    while bits > 0:
        flip_batch(root, min(bits, batch), chance, expected, tally)
        bits -= batch
    return tally


def flip_batch(
    root: Path, bits: int, chance: random.Random, expected: dict[str, bytes], tally: Tally
) -> None:
    """Damage some artefacts, verify, repair, repro, and compare with what was before."""
    project = open_project(root)
    videos = {path: path.read_bytes() for path in project.layout.videos.iterdir()}
    chosen = choose(project, bits, chance)
    inodes = {(path.stat().st_dev, path.stat().st_ino): path for path in chosen}
    own = items_by_inode(project)
    for path in chosen:
        flip(path, chance)
        tally.counts[f"bits flipped: {kind_of(path, project)}"] += 1
    found = verify(project)
    named = {inode for finding in found.findings for inode in inodes_of(finding)}
    missed = [path for inode, path in inodes.items() if inode not in named]
    tally.counts["damaged artefacts found"] += bits - len(missed)
    tally.faults += [f"{path} was not found" for path in missed]
    tally.counts["healthy files reported"] += len(named - inodes.keys())
    tally.faults += [f"{f.name}: {f.what}" for f in found.findings if not is_expected(f, inodes)]
    computed = journal(project)
    mended = repair(project)
    tally.counts["sources named"] += len(mended.sources)
    split = project.layout.splits
    originals = {**videos, split: expected[split.relative_to(root).as_posix()]}
    restore_sources(mended.sources, originals)
    dvc(root, "repro")
    again = journal(project) - computed
    tally.counts["items computed again"] += again.total()
    damaged = {own[inode] for inode in inodes if inode in own}
    tally.faults += [
        f"{item} was undamaged and was computed again" for item in again - Counter(damaged)
    ]
    tally.faults += [f"{name} has other bytes" for name in differences(expected, outputs(root))]
    left = verify(project)
    tally.faults += [f"still {f.kind}: {f.name}: {f.what}" for f in left.findings]


def items_by_inode(project: Project) -> dict[tuple[int, int], tuple[str, str]]:
    """(step, fingerprint) of the item whose result an object of the store is, by inode."""
    found = {}
    for receipt in project.store.receipts():
        for output in receipt.outputs:
            status = project.store.object(output.sha256).stat()
            found[status.st_dev, status.st_ino] = (receipt.ingredients.step, receipt.fingerprint)
    return found


def inodes_of(finding: Finding) -> Iterator[tuple[int, int]]:
    """Inodes of a finding's files."""
    for path in finding.paths:
        if path.exists():
            yield (path.stat().st_dev, path.stat().st_ino)


def is_expected(finding: Finding, inodes: dict[tuple[int, int], Path]) -> bool:
    """Say whether a finding is about a file that was really damaged."""
    return any(inode in inodes for inode in inodes_of(finding))


def restore_sources(sources: tuple[Finding, ...], originals: dict[Path, bytes]) -> None:
    """Restore the originals, as the messages say."""
    for finding in sources:
        content = next(originals[path] for path in finding.paths if path in originals)
        for path in finding.paths:
            path.chmod(0o644)
            path.write_bytes(content)


def main() -> int:
    """Run what the command line asks for and print the tally."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["kill", "flip"])
    parser.add_argument("--runs", type=int, default=50, help="runs to kill")
    parser.add_argument("--bits", type=int, default=200, help="bits to flip")
    parser.add_argument("--trailers", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=0.1, help="that each killed item takes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--project", type=Path, help="flip bits in this project instead")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mmx-torture-") as name:
        folder = Path(name)
        if given.what == "kill":
            tally = kill_runs(folder, given.runs, given.trailers, given.seed, given.seconds)
        else:
            root = given.project or whole_project(folder, given.trailers)
            tally = flip_bits(root.resolve(), given.bits, given.seed)
    print(tally)
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
