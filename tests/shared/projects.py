"""Fixtures of a simulated project, run through the real engine and kept by the real DVC."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sharing import made_once, own_copy

ROOT = Path(__file__).resolve().parents[2]
# The simulation is shared with the benchmarks, which are no part of the installed package.
sys.path.insert(0, str(ROOT))

from benchmarks import simulated, torture  # noqa: E402
from mmx.pipeline.registry import run_step, trailer_steps  # noqa: E402
from mmx.project import Project, open_project  # noqa: E402

TRAILERS = 5


@pytest.fixture(scope="session", autouse=True)
def recipes() -> None:
    """Let the pipeline of this process run simulated recipes."""
    simulated.install()


def run_all(project: Project) -> dict[str, int]:
    """Run every stage up to the feature store in this process; how many items each computed."""
    simulated.ingest(project)
    steps = trailer_steps(project.params)
    computed = {step.name: len(step.run(project).computed) for step in steps}
    run_step("features", project)
    run_step("split", project)
    return computed


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, recipes: None) -> Path:
    """The project after its first run, committed to git and DVC: nothing may write to it."""
    return own_copy(tmp_path_factory, made_once(tmp_path_factory, "whole", make_whole))


def make_whole(folder: Path) -> Path:
    """Write the project and run it."""
    root = folder / "project"
    simulated.write_project(root, TRAILERS, workers=1)
    run_all(open_project(root))
    simulated.dvc(root, "commit", "--force", "--quiet")
    simulated.commit(root, "first run")
    return root


@pytest.fixture
def project(whole: Path, tmp_path: Path) -> Project:
    """A copy of the project that a test may damage; hard links stay hard links."""
    root = tmp_path / "project"
    subprocess.run(["cp", "-a", str(whole), str(root)], check=True)
    return open_project(root)


@pytest.fixture
def rerun() -> Callable[[Project], dict[str, int]]:
    """Run every stage and return how many items each computed."""
    return run_all


@pytest.fixture
def flip() -> Callable[[Path], None]:
    """Flip one bit of a file in place, its times unchanged."""
    chance = random.Random(0)
    return lambda path: torture.flip(path, chance)


@pytest.fixture
def outputs() -> Callable[[Path], dict[str, bytes]]:
    """Bytes of every output by path."""
    return torture.outputs


@pytest.fixture
def replace_file() -> Callable[[Path, bytes], None]:
    """Replace the file under one name, not the hard links under other names."""

    def replace(path: Path, content: bytes) -> None:
        temporary = path.with_name("temporary")
        temporary.write_bytes(content)
        os.replace(temporary, path)

    return replace


@pytest.fixture(scope="session")
def changed(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project after a second run: one parameter, one video, one trailer more, one less."""

    def make(folder: Path) -> Path:
        root = folder / "project"
        subprocess.run(["cp", "-a", str(whole), str(root)], check=True)
        simulated.set_param(root, "flow.bound", 15.0)
        simulated.write_video(root, "t00003", version=1)
        simulated.write_video(root, "t00009")
        (root / "data/videos/t00000.mp4").unlink()
        run_all(open_project(root))
        simulated.dvc(root, "commit", "--force", "--quiet")
        simulated.commit(root, "second run")
        return root

    return own_copy(tmp_path_factory, made_once(tmp_path_factory, "changed", make))
