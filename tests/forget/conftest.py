"""A simulated project with three revisions and a remote, from which two trailers are taken."""

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from projects import recipes, run_all

from benchmarks import simulated
from mmx.forget.run import Forgotten, forget
from mmx.project import Project, open_project
from mmx.release.publish import publish

__all__ = ["recipes"]
TRAILERS, GONE = 8, ("t00002", "t00005")


@dataclass(frozen=True)
class World:
    """A project and its remote."""

    folder: Path
    secrets: tuple[bytes, ...] = field(repr=False, default=())
    """Bytes that are found in nothing but what was made of the trailers that are taken out."""

    @property
    def root(self) -> Path:
        return self.folder / "project"

    @property
    def project(self) -> Project:
        return open_project(self.root)

    def files(self) -> dict[str, Path]:
        """Every file of project, remote and releases, but for git's and the tombstones."""
        kept = (path for path in sorted(self.folder.rglob("*")) if path.is_file())
        named = {path.relative_to(self.folder).as_posix(): path for path in kept}
        apart = ("project/.git/", "project/data/forgotten/")
        return {name: path for name, path in named.items() if not name.startswith(apart)}

    def holding(self, *words: bytes) -> list[str]:
        """The files that have one of these in their name or bytes, tables decoded."""
        from tests.forget.decoding import text_of

        return [
            name
            for name, path in self.files().items()
            if any(word in text_of(path) or word in name.encode() for word in words)
        ]

    def copy(self, target: Path) -> "World":
        """The same at another place; links in it stay links, the remote is its own."""
        subprocess.run(["cp", "-a", str(self.folder), str(target)], check=True)
        config = target / "project/.dvc/config"
        for path in (config, target / "project/data/releases.json"):
            path.write_text(path.read_text().replace(str(self.folder), str(target)))
        return World(target, self.secrets)


def run(world: World, message: str) -> None:
    """Run all stages and commit what they made."""
    simulated.write_manifest(world.root)
    run_all(world.project)
    simulated.dvc(world.root, "commit", "--force", "--quiet")
    simulated.commit(world.root, message)


@pytest.fixture(scope="session")
def before(tmp_path_factory: pytest.TempPathFactory, recipes: None) -> World:
    """Before anything is taken out: nothing may write to it."""
    world = World(tmp_path_factory.mktemp("forget") / "world")
    simulated.write_project(world.root, TRAILERS, workers=1, experts=("lite_scene", "lite_motion"))
    remote = str(world.folder / "remote")
    simulated.dvc(world.root, "remote", "add", "--quiet", "--default", "box", remote)
    run(world, "first")
    publish(world.project, world.root / "releases/1.0.0")
    simulated.set_param(world.root, "flow.bound", 15.0)
    run(world, "second")
    for trailer in (GONE[0], "t00000"):
        simulated.write_video(world.root, trailer, version=1)
    run(world, "third")
    publish(world.project, world.folder / "elsewhere")
    lost = {"event": "failure", "item": GONE[1], "reason": f"{GONE[1]}.mp4 is missing"}
    world.project.store.note_run({"step": "flow", "at": "2026-01-01T00:00:00Z", **lost})
    simulated.commit(world.root, "two releases")
    simulated.dvc(world.root, "push", "--all-commits", "--run-cache", "--quiet")
    secrets = tuple(
        (world.root / f"data/flow/{name}.flow").read_bytes()[:64] for name in GONE
    ) + tuple(name.encode() for name in GONE)
    return World(world.folder, secrets)


@dataclass(frozen=True)
class After:
    """A world without the trailers."""

    world: World
    done: Forgotten


@pytest.fixture(scope="session")
def after(before: World, tmp_path_factory: pytest.TempPathFactory) -> After:
    """After they were taken out: nothing may write to it."""
    world = before.copy(tmp_path_factory.mktemp("after") / "world")
    done = forget(world.project, GONE, "the owner asked for it", say=lambda what: None)
    return After(world, done)


@pytest.fixture
def own(before: World, tmp_path: Path) -> World:
    """A copy of the project before, to change."""
    shutil.rmtree(tmp_path / "world", ignore_errors=True)
    return before.copy(tmp_path / "world")
