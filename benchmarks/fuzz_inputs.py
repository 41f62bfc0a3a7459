"""Damage tables, parameters, receipts, Parquet files and weights, and see what mmx makes of them.

    python -m benchmarks.fuzz_inputs --cases 3000 --seed 0

Each case is a copy of a small finished project (benchmarks/simulated.py) with one file damaged, and
one command that reads the file, in a process of its own with limits. It must end by itself, right
or with a sentence: no traceback, no hang, no death, nothing read or written outside the project.
Prints how many cases ended how, by kind of file; exit code 1 if one ended badly. A case is made
again by its number: --only 1234.
"""

import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from benchmarks import simulated
from benchmarks.mutations import mutate

TOKEN = b"token of a file that no project may have"
CPU_S, WALL_S, MEMORY, FILE = 60, 300, 6 << 30, 1 << 28
"""Limits of a case: seconds of processor and of time, bytes of memory and of a written file."""
TRACE = ("trace t00001", "trace t00001 --clip 0 --expert lite_scene --json")
CHECKS = ("status", "plan --json", "verify", "verify --quick --json", "repair", "diff HEAD", *TRACE)
READERS = {"status", "plan", "plan --json", "verify", "verify --quick --json", "diff HEAD", *TRACE,
           "manifest", "experts", "tools", "weights", "weights verify", "weights list",
           "checkpoint"}  # fmt: skip
"""Commands that change nothing in the project."""
STAGES = ("stage scenes", "stage features", "stage split")


@dataclass(frozen=True)
class Target:
    """A kind of file, and the commands that read it."""

    kind: str
    pattern: str
    """Of its paths below the project."""
    commands: tuple[str, ...]


INIT = "init --videos films --labels labels.csv"
TARGETS = (
    Target("labels", "labels.csv", (INIT, f"{INIT} --force", f"{INIT} --json")),
    Target("manifest", "data/trailers.csv", ("status", INIT, "accept t00001", "manifest")),
    Target("params", "params.yaml", ("status", "experts", "plan", "profile lite --force", "tools")),
    Target("receipts", "data/*/_receipts/*.jsonl", (*CHECKS, "retry scenes", "prune", *STAGES)),
    Target("store", ".mmx/receipts/*/*/*.json", (*CHECKS, "prune", *STAGES)),
    Target("journal", ".mmx/journal/*.jsonl", ("plan", *TRACE)),
    Target("inspections", ".mmx/inspections.json", ("status", "manifest", "stage scenes")),
    Target("listing", ".dvc/cache/files/md5/*/*.dir", (*CHECKS, *STAGES)),
    Target("cache", ".dvc/cache/files/md5/??/*", (*CHECKS, *STAGES)),
    Target("dvc.lock", "dvc.lock", (*CHECKS, *STAGES)),
    Target("parquet", "data/*.parquet", (*CHECKS, *STAGES, "publish out", "prune")),
    Target("vectors", "vectors/trailer_embeddings.parquet", ("similar",)),
    Target("shards", "data/clips/*.parquet", (*CHECKS, *STAGES)),
    Target("embeddings", "data/embeddings/*/*.parquet", (*CHECKS, *STAGES)),
    Target("model", "model/*", ("model",)),
    Target("weights", "weights/*", ("weights",)),
    Target("checkpoint", "scratch/checkpoint.pt", ("checkpoint",)),
    Target("pins", "weights.lock.yaml", ("weights verify", "weights list")),
    Target("tools", "mmx/tools.yaml", ("tools", "stage split")),
)  # fmt: skip


@dataclass
class Tally:
    """How cases ended, by kind of file."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """A line for each kind of file and one for all, then the faults."""
        ends = sorted({end for _, end in self.counts})
        rows = [["", *ends]]
        for kind in sorted({kind for kind, _ in self.counts}):
            rows.append([kind, *(str(self.counts[kind, end]) for end in ends)])
        sums = [sum(n for (_, end), n in self.counts.items() if end == one) for one in ends]
        rows.append(["all", *map(str, sums)])
        lines = ["".join(f"{cell:>12}" for cell in row) for row in rows]
        return "\n".join([*lines, f"{len(self.faults)} faults", *self.faults])


def make_template(folder: Path) -> Path:
    """Make the finished project that is damaged; return its top folder."""
    root = folder / "project"
    code = f"from benchmarks.fuzz_inputs import fill; fill({str(root)!r})"
    # In a process of its own: what forks the cases must have no threads.
    simulated.run(folder, sys.executable, "-c", code)
    (folder / "secret").mkdir()
    (folder / "secret" / "token").write_bytes(TOKEN)
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    return root


def fill(top: str) -> None:
    """Write a simulated project, run its steps, and add models, weights and a manifest."""
    from benchmarks.fuzz_models import write_models
    from mmx.pipeline.registry import run_step, trailer_steps
    from mmx.project import open_project

    root = Path(top)
    simulated.write_project(root, 5, workers=1, experts=("lite_scene",))
    simulated.install()
    project = open_project(root)
    simulated.ingest(project)
    for step in trailer_steps(project.params):
        step.run(project)
    run_step("features", project)
    run_step("split", project)
    simulated.write_manifest(root)
    write_models(root)
    (root / "films").mkdir()
    for n in range(5):
        shutil.copyfile(root / "data" / "videos" / f"t{n:05d}.mp4", root / "films" / f"f{n}.mp4")
    rows = [f"Film {n},2000,Drama|War,f{n}.mp4" for n in range(5)]
    (root / "labels.csv").write_text("\n".join(["title,year,genres,video", *rows]) + "\n")
    simulated.dvc(root, "commit", "--force", "--quiet")
    simulated.commit(root, "first run")


def fuzz(folder: Path, cases: Sequence[int], seed: int, verbose: bool = False) -> Tally:
    """Run these cases, by number, in a new folder; return how they ended."""
    make_template(folder)
    tally = Tally(faults=check_undamaged(folder))
    for number in cases:
        target, command, done, ended, said = run_case(folder, number, seed)
        tally.counts[target, ended] += 1
        if ended in ("traceback", "hang", "died", "outside"):
            tally.faults.append(f"case {number}: {done}, `{command}`: {ended}: {said}")
        if verbose:
            print(f"{number}: {done}, `{command}`: {ended}", flush=True)
    return tally


def check_undamaged(folder: Path) -> list[str]:
    """Return the commands that do not end right where nothing is damaged."""
    faults = []
    for command in sorted({each for target in TARGETS for each in target.commands}):
        root = _project(folder)
        ended, said = _end_of(folder, root, command)
        faults += [f"undamaged, `{command}`: {ended}: {said}"] if ended != "right" else []
        if command not in READERS:
            shutil.rmtree(root)
    return faults


def run_case(folder: Path, number: int, seed: int) -> tuple[str, str, str, str, str]:
    """Run one case; return kind of file, command, what was done to it, how it ended, and a line."""
    chance = random.Random(f"{seed} {number}")
    root = _project(folder)
    target = chance.choice(TARGETS)
    path = chance.choice(sorted(each for each in root.glob(target.pattern) if each.is_file()))
    name = path.relative_to(root).as_posix()
    done = f"{name} {mutate(path, chance)}"
    command = chance.choice(target.commands)
    ended, said = _end_of(folder, root, command)
    if command in READERS:
        _put_back(folder / "project" / name, path)
    else:
        shutil.rmtree(root)
    return target.kind, command, done, ended, said


def _project(folder: Path) -> Path:
    """Return an undamaged copy of the project: the last one, or a new one."""
    root = folder / "case"
    if not root.exists():
        subprocess.run(["cp", "-a", str(folder / "project"), str(root)], check=True)
    return root


def _put_back(original: Path, path: Path) -> None:
    """Restore a damaged file, under its one name."""
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    shutil.copy2(original, path)


def _end_of(folder: Path, root: Path, command: str) -> tuple[str, str]:
    """Run a command in a process of its own; return how it ended, and the line that says so."""
    output = folder / "output"
    process = os.fork()
    if process == 0:
        _run(folder, root, command, output)
    status = _wait(process)
    text = output.read_text(encoding="utf-8", errors="replace")
    last = (text.strip().splitlines() or [""])[-1][:300]
    if status is None or os.WIFSIGNALED(status):
        killed = status is not None and os.WTERMSIG(status) != signal.SIGXCPU
        return ("died" if killed else "hang"), last
    if "outside: " in text or _leaked(folder, root):
        return "outside", text[text.find("outside: ") :][:300]
    if "Traceback (most recent call last)" in text:
        return "traceback", last
    return ("right" if os.WEXITSTATUS(status) == 0 else "sentence"), last


def _wait(process: int) -> int | None:
    """Return the status of a process; None if it had to be killed."""
    limit = time.monotonic() + WALL_S
    while time.monotonic() < limit:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return status
        time.sleep(0.005)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return None


def _leaked(folder: Path, root: Path) -> bool:
    """Say whether the file outside was changed, linked or copied, or another lies beside it."""
    secret = folder / "secret" / "token"
    if secret.read_bytes() != TOKEN or secret.stat().st_nlink != 1:
        return True
    beside = {path.name for path in folder.iterdir()} | {p.name for p in secret.parent.iterdir()}
    known = {"project", "case", "secret", "home", "tmp", "output", "token"}
    files = (path for path in root.rglob("*") if path.is_file() and path.stat().st_size < FILE)
    return bool(beside - known) or any(TOKEN in path.read_bytes() for path in files)


def _run(folder: Path, root: Path, command: str, output: Path) -> None:
    """Run a command and end the process; all that it prints goes to a file."""
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.environ |= {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"),
                   "MMX_WEIGHTS": str(root / "weights"), "OMP_NUM_THREADS": "1"}  # fmt: skip
    tempfile.tempdir = str(folder / "tmp")
    os.chdir(root)
    for what, limit in (
        (resource.RLIMIT_CPU, CPU_S), (resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, FILE)
    ):  # fmt: skip
        resource.setrlimit(what, (limit, limit))
    sys.addaudithook(_watch((folder / "case", folder / "home", folder / "tmp")))
    code = 70
    try:
        perform(command)
        code = 0
    except SystemExit as ended:
        # As the interpreter takes it: no code is 0, a text is 1.
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _watch(inside: tuple[Path, ...]) -> Callable[[str, tuple[object, ...]], None]:
    """Return an audit hook that tells of files outside: written, or read and none of Python's."""
    writes = ("os.link", "os.symlink", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod")
    libraries = (sys.prefix, sys.base_prefix, str(simulated.ROOT), "/usr", "/proc", "/sys", "/etc",
                 "/dev", "/lib")  # fmt: skip
    cases = tuple(map(str, inside))

    def watch(event: str, given: tuple[object, ...]) -> None:
        opened = event == "open" and isinstance(given[0], str | os.PathLike)
        if not opened and event not in writes:
            return
        paths = given[:1] if opened or event in ("os.mkdir", "os.remove") else given[:2]
        for path in (os.fspath(each) for each in paths if isinstance(each, str | os.PathLike)):
            place = os.path.abspath(os.fsdecode(path))
            reads = opened and given[1] in ("r", "rb", None) and not int(str(given[2] or 0)) & 3
            if not place.startswith(
                (*cases, *libraries) if reads else (*cases, "/dev/null", "/dev/shm")
            ):
                os.write(2, f"outside: {event} {place}\n".encode())

    return watch


def perform(command: str) -> None:
    """Do what a command says: one of mmx's, or one that reads a file as a step does."""
    from benchmarks import fuzz_models
    from mmx.cli import main as mmx
    from mmx.errors import report_errors

    word, _, rest = command.partition(" ")
    own = {"stage": simulated.run_stage} | fuzz_models.COMMANDS
    if word in own and command not in ("weights verify", "weights list"):
        with report_errors():
            own[word](rest)
    else:
        sys.argv = ["mmx", *command.split()]
        mmx()


def load_modules() -> None:
    """Import what the cases need, so that each need not."""
    from mmx.pipeline.registry import step_modules

    for name in ("mmx.cli.app", "mmx.training.load", "mmx.experts.checkpoints", "mmx.audit.repair"):
        import_module(name)
    step_modules()


def main() -> int:
    """Run what the command line asks for and print the tally."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=3000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="only the case with this number")
    parser.add_argument("--verbose", action="store_true", help="a line for each case")
    given = parser.parse_args()
    load_modules()
    numbers = range(given.first, given.first + given.cases)
    cases = numbers if given.only is None else [given.only]
    with tempfile.TemporaryDirectory(prefix="mmx-fuzz-") as folder:
        tally = fuzz(Path(folder).resolve(), cases, given.seed, given.verbose)
    print(tally)
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
