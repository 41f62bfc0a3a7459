"""Outputs that git tracks, or would add, are named with the remedy, and the remedy works."""

import subprocess
from pathlib import Path

import pytest

from mmx.dvc_state.tracked import declared_outs, git_faults
from mmx.project import Project


def sh(root: Path, command: str) -> str:
    done = subprocess.run(command, cwd=root, shell=True, check=True, capture_output=True, text=True)
    return done.stdout


def remedy(fault: str) -> str:
    """The command that a sentence names."""
    return fault.split("`")[-2]


def test_a_sound_project_has_no_faults(project: Project) -> None:
    assert "data/embeddings" in declared_outs(project.layout.root)
    assert git_faults(project.layout.root) == []


def test_tracked_outputs_are_named_and_the_named_command_mends_it(project: Project) -> None:
    root = project.layout.root
    sh(root, "git add --force data/clips data/sources.parquet && git commit --quiet -m fault")
    (fault,) = git_faults(root)
    assert "data/clips, data/sources.parquet" in fault
    sh(root, f"{remedy(fault)} && git commit --quiet -m mended")
    assert git_faults(root) == [] and project.layout.clips.exists()


def test_outputs_that_git_would_add_are_named_and_the_named_command_mends_it(
    project: Project,
) -> None:
    root = project.layout.root
    ignored = (root / ".gitignore").read_text()
    (root / ".gitignore").write_text(ignored.replace("/data/flow\n", ""))
    (root / "data" / ".gitignore").unlink(missing_ok=True)
    (fault,) = git_faults(root)
    assert "does not name data/flow," in fault
    sh(root, remedy(fault))
    assert git_faults(root) == []
    assert not [name for name in sh(root, "git add -A -n").splitlines() if "flow" in name]


@pytest.mark.parametrize("gone", [".git", "dvc.yaml"])
def test_without_git_or_pipeline_there_is_nothing_to_say(project: Project, gone: str) -> None:
    root = project.layout.root
    (root / gone).rename(root / "elsewhere")
    assert git_faults(root) == []
