"""Another checkout of a project gets links to the videos of the project it was made from."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mmx.layout import Layout, find_main
from mmx.project import Project, open_project
from mmx.trailers import init
from mmx.trailers.borrow import borrow_videos, videos_are_missing
from mmx.trailers.intake import IngestError, ingest_project

TOP = Path(__file__).parents[2]


@pytest.fixture
def main(tmp_path: Path) -> Project:
    """A project with two videos, committed."""
    originals, root = tmp_path / "originals", tmp_path / "main"
    (originals / "a").mkdir(parents=True)
    (root / "data").mkdir(parents=True)
    rows = ["title,year,genres,video"]
    for name in ("a/one", "two"):
        (originals / f"{name}.mp4").write_bytes(name.encode())
        rows.append(f"{name},2000,Drama,{name}.mp4")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    (root / "params.yaml").write_text((TOP / "params.yaml").read_text())
    (root / ".gitignore").write_text((TOP / ".gitignore").read_text())
    init(Layout(root), originals, tmp_path / "labels.csv")
    for command in ("init -q", "add -A", "-c user.name=t -c user.email=t@t commit -q -m first"):
        subprocess.run(["git", *command.split()], cwd=root, check=True)
    return open_project(root)


def checkout(main: Project, place: str) -> Project:
    """Another checkout: a worktree of git, or what DVC makes for an experiment."""
    root = main.layout.root
    target = root / ".dvc/tmp/exps/tmp1" if place == "experiment" else root.parent / "worktree"
    command = ["worktree", "add", "-q", str(target)]
    if place == "experiment":
        command = ["clone", "-q", str(root), str(target)]
    subprocess.run(["git", *command], cwd=root, check=True)
    return open_project(target)


@pytest.mark.parametrize("place", ["worktree", "experiment"])
def test_the_videos_of_another_checkout_are_links_to_the_originals(
    main: Project, place: str
) -> None:
    main.inspections.parent.mkdir(exist_ok=True)
    main.inspections.write_text("read before")
    other = checkout(main, place)
    assert find_main(other.layout.root) == main.layout.root
    borrow_videos(other)
    for name in ("a/one.mp4", "two.mp4"):
        link = other.layout.videos / name
        assert (
            link.is_symlink() and link.readlink().parts[-len(Path(name).parts) - 1] == "originals"
        )
    assert other.inspections.read_text() == "read before"
    assert (other.store.root == main.store.root) == (place == "worktree")


def test_a_project_and_a_clone_borrow_nothing(main: Project) -> None:
    root = main.layout.root.parent / "clone"
    subprocess.run(["git", "clone", "-q", str(main.layout.root), str(root)], check=True)
    clone = open_project(root)
    assert find_main(root) is None and find_main(main.layout.root) is None
    borrow_videos(clone)
    assert videos_are_missing(clone.layout.manifest, clone.layout.videos)
    with pytest.raises(IngestError, match="none of the videos"):
        ingest_project(clone)


def test_one_video_is_enough_and_what_was_never_there_does_not_count(main: Project) -> None:
    layout = main.layout
    (layout.videos / "two.mp4").unlink()
    assert not videos_are_missing(layout.manifest, layout.videos)
    (layout.videos / "a/one.mp4").unlink()
    assert videos_are_missing(layout.manifest, layout.videos)
    layout.manifest.unlink()
    assert not videos_are_missing(layout.manifest, layout.videos)


def test_a_submodule_is_no_worktree(main: Project, tmp_path: Path) -> None:
    inner = replace(main.layout, root=tmp_path / "outer" / "inner").root
    inner.mkdir(parents=True)
    (inner / ".git").write_text(f"gitdir: {tmp_path}/outer/.git/modules/inner\n")
    assert find_main(inner) is None
