"""Other checkouts of a project, and git beside DVC: what each needs is there, and no more."""

from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from tests.pipeline.conftest import Project

pytestmark = pytest.mark.slow


def test_an_experiment_in_a_temporary_folder_computes_what_it_changes(project: "Project") -> None:
    """`--queue` makes the same folder and runs the same commands in it."""
    said = project.run("dvc", "exp", "run", "--temp", "-S", "finetune.epochs=1", "finetune")
    assert "'train' didn't change" in said and "finetune: 1 computed of 1 run" in said
    assert project.run("git", "status", "--porcelain") == ""


def test_a_git_worktree_has_the_results_of_the_project(project: "Project") -> None:
    tree = type(project)(project.root.parent / "tree")
    project.run("git", "worktree", "add", "--quiet", str(tree.root))
    before = project.computed()
    for step in ("ingest", "scenes", "flow"):
        tree.run("dvc", "repro", "--single-item", step)
    assert project.computed() == before
    assert tree.artefacts("data/flow") == project.artefacts("data/flow")


def test_after_a_failed_stage_git_adds_no_data(project: "Project") -> None:
    for path in project.root.rglob(".gitignore"):
        if path.parent.name in ("data", "models", "reports", "embeddings"):
            path.unlink()
    data = yaml.safe_load((project.root / "dvc.yaml").read_text())
    data["stages"]["scenes"]["cmd"] = "mkdir -p data/clips && touch data/clips/x && false"
    (project.root / "dvc.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    project.run("dvc", "repro", "scenes", fails=True)
    project.run("git", "add", "--all")
    added = project.run("git", "diff", "--cached", "--name-only", "--diff-filter=A").split()
    assert (project.root / "data/clips/x").exists() and added == []


def test_a_clone_without_videos_says_so_and_shows_the_last_run(project: "Project") -> None:
    for path in (project.root / "data/videos").rglob("*"):
        if path.is_symlink() or (path.is_file() and path.suffix != ".md"):
            path.unlink()
    status = project.status()
    assert "none of the videos" in status["notes"][0]
    assert {step["done"] + step["failed"] for step in status["steps"]} != {0}
    assert "none of the videos" in project.run("dvc", "repro", "ingest", fails=True)
