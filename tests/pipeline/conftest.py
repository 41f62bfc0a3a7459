"""A small collection taken through the real DAG once; each test works on a copy of it."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from preloaded import preloaded_commands
from sharing import made_once, own_copy

TOP = Path(__file__).resolve().parents[2]
# The simulation is shared with the benchmarks, which are no part of the installed package.
sys.path.insert(0, str(TOP))

from benchmarks import simulated  # noqa: E402
from mmx.pipeline.registry import trailer_steps  # noqa: E402
from mmx.project import open_project  # noqa: E402

TRAILERS = 9
ITEMS = TRAILERS + 1
"""Items of a step: of the odd trailers that the generator adds, one is valid."""
SMALL = {
    "collection.max_seconds": 600,
    "embed.frames_per_clip": 1,
    "embed.batch": 8,
    "evaluate.pictured": 2,
    "finetune.constant_epochs": 1,
    "finetune.epochs": 2,
    "flow.pairs_per_clip": 1,
    "flow.short_side": 48,
    "model.bottleneck": 16,
    "model.dim": 16,
    "run.workers": 1,
    "split.test": 0.25,
    "split.train": 0.5,
    "split.validation": 0.25,
    "train.epochs": 2,
}


@dataclass(frozen=True)
class Project:
    """A project folder and the commands that a user types in it."""

    root: Path
    commands: Path | None = None
    """A folder of commands that are taken before those of the environment."""

    def run(self, *command: str, fails: bool = False) -> str:
        """Run a command; return what it prints. It must succeed, or fail if that is expected."""
        done = self.complete(*command)
        assert (done.returncode != 0) == fails, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def json(self, *command: str) -> Any:
        """Run a command with --json; return the data on its stdout, where nothing else may be."""
        done = self.complete(*command, "--json")
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def complete(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            command,
            cwd=self.root,
            env=environment(self.commands),
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a command in a process group of its own."""
        quiet = subprocess.DEVNULL
        return subprocess.Popen(
            command, cwd=self.root, env=environment(), start_new_session=True, stderr=quiet
        )

    def repro(self, *targets: str) -> Counter[str]:
        """Run `dvc repro`; return how many items each step computed."""
        before = self.computed()
        self.run("dvc", "repro", *targets)
        return self.computed() - before

    def computed(self) -> Counter[str]:
        """Return how many items each step has ever computed here, by its journal."""
        journals = (self.root / ".mmx" / "journal").glob("*.jsonl")
        return Counter({path.stem: len(path.read_bytes().splitlines()) for path in journals})

    def commit(self) -> None:
        """Commit everything."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", "work")

    def edit(self, values: Mapping[str, object]) -> None:
        """Set dotted keys of params.yaml."""
        path = self.root / "params.yaml"
        data = yaml.safe_load(path.read_text())
        for key, value in values.items():
            *sections, leaf = key.split(".")
            section = data
            for part in sections:
                section = section[part]
            section[leaf] = value
        path.write_text(yaml.safe_dump(data, sort_keys=False))

    def manifest(self, edit: Callable[[str], str]) -> None:
        """Rewrite the text of the manifest."""
        path = self.root / "data" / "trailers.csv"
        path.write_text(edit(path.read_text()))

    def status(self) -> dict[str, Any]:
        """Return `mmx status` as data."""
        told: dict[str, Any] = self.json("mmx", "status")
        return told

    def artefacts(self, *folders: str) -> dict[str, bytes]:
        """Return every file below the folders, by relative name."""
        found = {}
        for folder in folders:
            top = self.root / folder
            paths = [top] if top.is_file() else sorted(top.rglob("*"))
            for path in paths:
                if path.is_file() and path.name != ".gitignore":
                    found[str(path.relative_to(self.root))] = path.read_bytes()
        return found


def environment(commands: Path | None = None) -> dict[str, str]:
    """Return the environment of a user who has activated the project's environment."""
    folders = [commands, Path(sys.executable).parent, os.environ["PATH"]]
    path = os.pathsep.join(map(str, filter(None, folders)))
    return {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1", "OMP_NUM_THREADS": "1"}


def clone_tree(target: Path) -> Project:
    """Make a repository of the working tree's files, as a clone would be."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=TOP,
        capture_output=True,
        check=True,
    ).stdout.split(b"\0")
    for name in map(os.fsdecode, filter(None, listed)):
        if (TOP / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, target / name)
    copy_kernels(target)
    project = Project(target)
    project.run("git", "init", "--quiet")
    project.run("git", "config", "user.name", "test")
    project.run("git", "config", "user.email", "test@example.org")
    return project


def copy_kernels(target: Path) -> None:
    """Let a clone find the compiled kernels: numba looks beside the files that they come from."""
    for path in (TOP / "mmx" / "flow" / "__pycache__").glob("*.nb[ic]"):
        (target / path.relative_to(TOP).parent).mkdir(exist_ok=True)
        shutil.copy2(path, target / path.relative_to(TOP))


@pytest.fixture(scope="session")
def preloaded() -> Iterator[Path | None]:
    """Commands that need not load PyTorch and other libraries each time."""
    with preloaded_commands() as folder:
        yield folder


@pytest.fixture(scope="session")
def clone(preloaded: Path | None) -> Callable[[Path], Project]:
    """Makes a repository of the working tree's files."""
    return lambda target: replace(clone_tree(target), commands=preloaded)


@pytest.fixture(scope="session")
def sample_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated collection."""
    return made_once(tmp_path_factory, "pipeline-sample", make_sample)


def make_sample(folder: Path) -> Path:
    """Generate a collection."""
    from mmx.sample.generate import generate

    generate(folder / "sample", TRAILERS + 1)
    return folder / "sample"


@pytest.fixture(scope="session")
def later(sample_folder: Path) -> str:
    """The video of the sample that `built` does not have yet, with its row of labels."""
    rows = (sample_folder / "labels.csv").read_text().splitlines()
    return rows[TRAILERS + 1]


@pytest.fixture(scope="session")
def built(
    tmp_path_factory: pytest.TempPathFactory,
    sample_folder: Path,
    later: str,
    preloaded: Path | None,
) -> Project:
    """A project after its first `dvc repro`, committed. Read it; to change it, take `project`.

    The first run is that of the commands that a user has; what tests run after it is preloaded.
    """

    def build(folder: Path) -> Path:
        project = clone_tree(folder / "project")
        project.edit(SMALL)
        labels = (sample_folder / "labels.csv").read_text()
        (project.root / "labels.csv").write_text(labels.replace(later + "\n", ""))
        videos = str(sample_folder / "videos")
        project.run("mmx", "init", "--videos", videos, "--labels", "labels.csv")
        project.run("dvc", "repro")
        project.commit()
        return project.root

    made = made_once(tmp_path_factory, "pipeline-built", build)
    return Project(own_copy(tmp_path_factory, made), preloaded)


@pytest.fixture
def project(built: Project, tmp_path: Path) -> Project:
    """A copy of the built project: same bytes, same links within it, its own inodes."""
    target = tmp_path / "project"
    subprocess.run(["cp", "--archive", built.root, target], check=True)
    return replace(built, root=target)


def run_simulated(root: Path) -> Counter[str]:
    """Run every step whose items are trailers, in this process; how many items each computed."""
    opened = open_project(root)
    simulated.ingest(opened)
    steps = trailer_steps(opened.params)
    return +Counter({step.name: len(step.run(opened).computed) for step in steps})


@pytest.fixture(scope="session")
def run_items() -> Callable[[Path], Counter[str]]:
    """Runs every step whose items are trailers of a simulated project."""
    return run_simulated


@pytest.fixture(scope="session")
def simulated_whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated project of four trailers after its first run: nothing may write to it."""
    return made_once(tmp_path_factory, "pipeline-simulated", make_simulated)


def make_simulated(folder: Path) -> Path:
    """Write a simulated project and run it."""
    root = folder / "project"
    with pytest.MonkeyPatch.context() as patch:
        simulated.install(patch.setattr)
        simulated.write_project(root, 4, workers=1)
        run_simulated(root)
    return root


@pytest.fixture
def root(simulated_whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the simulated project, run by simulated recipes."""
    simulated.install(monkeypatch.setattr)
    subprocess.run(["cp", "-a", str(simulated_whole), str(tmp_path / "project")], check=True)
    return tmp_path / "project"
