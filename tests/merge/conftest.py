"""Two clones of a simulated project, each with a trailer of its own."""

import subprocess
from pathlib import Path

import pytest
from projects import recipes, run_all

from benchmarks import simulated
from mmx.merge.driver import install_drivers
from mmx.project import open_project

__all__ = ["recipes"]
TOP = Path(__file__).parents[2]


def git(root: Path, *arguments: str) -> str:
    return simulated.run(root, "git", *arguments)


def work(root: Path, message: str, *trailers: str) -> None:
    """Add trailers, run all stages, commit and push what they made."""
    for trailer in trailers:
        simulated.write_video(root, trailer)
    simulated.write_manifest(root)
    run_all(open_project(root))
    simulated.dvc(root, "commit", "--force", "--quiet")
    simulated.commit(root, message)
    simulated.dvc(root, "push", "--quiet")


@pytest.fixture(scope="session")
def sides(tmp_path_factory: pytest.TempPathFactory, recipes: None) -> tuple[Path, Path]:
    """`ours` has added a09, `theirs` t00008 in another clone; ours has fetched theirs."""
    folder = tmp_path_factory.mktemp("merge")
    ours, theirs = folder / "ours", folder / "theirs"
    simulated.write_project(ours, 6, workers=1, experts=("lite_scene", "lite_motion"))
    (ours / ".gitattributes").write_text((TOP / ".gitattributes").read_text())
    simulated.dvc(ours, "remote", "add", "--quiet", "--default", "box", str(folder / "remote"))
    work(ours, "first")
    git(folder, "clone", "--quiet", str(ours), str(theirs))
    for key, value in (("user.name", "two"), ("user.email", "two@example.org")):
        git(theirs, "config", key, value)
    subprocess.run(["cp", "-a", str(ours / "data/videos"), str(theirs / "data")], check=True)
    simulated.dvc(theirs, "pull", "--quiet")
    work(theirs, "their trailer", "t00008")
    work(ours, "our trailer", "a09")
    git(ours, "fetch", "--quiet", str(theirs), "HEAD:theirs")
    simulated.dvc(ours, "fetch", "--quiet", "--all-branches")
    assert install_drivers(ours)
    return ours, theirs
