"""Two branches that each add a trailer merge, and nothing that either had is computed again."""

import shutil
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from projects import run_all

from benchmarks import simulated
from mmx.dvc_state.history import merged_locks
from mmx.engine.canonical import file_digest
from mmx.merge.driver import MergeConflictError, install_drivers, merge_file
from mmx.merge.lock import LockMergeError
from mmx.project import open_project

pytestmark = pytest.mark.slow


def git(root: Path, *arguments: str) -> str:
    return simulated.run(root, "git", *arguments)


def merged(root: Path, versions: list[Path], name: str) -> None:
    """Merge base, ours and theirs."""
    base, ours, theirs = versions
    merge_file(root, base, ours, theirs, name)


@pytest.fixture
def ours(sides: tuple[Path, Path], tmp_path: Path) -> Path:
    """Our clone, to change."""
    subprocess.run(["cp", "-a", str(sides[0]), str(tmp_path / "ours")], check=True)
    return tmp_path / "ours"


def test_two_branches_merge_and_compute_nothing(ours: Path, sides: tuple[Path, Path]) -> None:
    before = [pq.read_table(each / "data/splits.parquet").to_pylist() for each in sides]
    merged_locks.cache_clear()
    git(ours, "merge", "--quiet", "--no-edit", "theirs")
    manifest = (ours / "data/trailers.csv").read_text()
    assert "a09" in manifest and "t00008" in manifest and "<<<" not in manifest
    after = {
        row["trailer_id"]: row for row in pq.read_table(ours / "data/splits.parquet").to_pylist()
    }
    for row in (*before[0], *before[1]):
        assert after[row["trailer_id"]] == row
    lock = yaml.safe_load((ours / "dvc.lock").read_text())
    (entry,) = lock["stages"]["split"]["outs"]
    assert entry["md5"] == file_digest(ours / "data/splits.parquet", "md5")
    shutil.copy(sides[1] / "data/videos/t00008.mp4", ours / "data/videos")
    assert set(run_all(open_project(ours)).values()) == {0}
    assert {path.stem for path in (ours / "data/flow").glob("*.flow")} >= {"a09", "t00008"}


def test_while_a_merge_is_under_way_the_other_side_counts_as_well(ours: Path) -> None:
    merged_locks.cache_clear()
    assert merged_locks(ours) == []
    git(ours, "merge", "--no-commit", "theirs")
    merged_locks.cache_clear()
    (lock,) = merged_locks(ours)
    assert "data/flow" in lock.outs


def test_a_cell_that_both_changed_is_a_conflict_and_named(tmp_path: Path) -> None:
    names = [tmp_path / name for name in ("base", "ours", "theirs")]
    for path, title in zip(names, ("Alien", "Aliens", "Alien 3"), strict=True):
        path.write_text(f"trailer_id,title,year\na,{title},1979\n")
    with pytest.raises(MergeConflictError, match="a: title is 'Aliens' here and 'Alien 3' there"):
        merged(tmp_path, names, "data/trailers.csv")
    assert names[1].read_text() == "trailer_id,title,year\na,Aliens,1979\n"


def test_cells_and_columns_of_both_sides_are_merged(tmp_path: Path) -> None:
    names = [tmp_path / name for name in ("base", "ours", "theirs")]
    names[0].write_text("trailer_id,title,year\na,Alien,1979\nb,Brazil,1985\nc,Clue,1985\n")
    names[1].write_text("trailer_id,title,year,studio\na,Alien!,1979,Fox\nc,Clue,1985,\n")
    names[2].write_text(
        "trailer_id,title,year\na,Alien,1980\nb,Brazil,1985\nc,Clue,1985\nd,'=D,2\n"
    )
    merged(tmp_path, names, "data/trailers.csv")
    assert names[1].read_text().splitlines() == [
        "trailer_id,title,year,studio",
        "a,Alien!,1980,Fox",
        "c,Clue,1985,",
        "d,'=D,2,",
    ]


def test_a_row_that_one_removed_and_the_other_changed_is_a_conflict(tmp_path: Path) -> None:
    names = [tmp_path / name for name in ("base", "ours", "theirs")]
    for path, rows in zip(names, ("a,Alien\n", "", "a,Aliens\n"), strict=True):
        path.write_text(f"trailer_id,title\n{rows}")
    with pytest.raises(MergeConflictError, match="one side removed the row"):
        merged(tmp_path, names, "data/trailers.csv")


def test_a_manifest_that_only_one_side_has_is_taken(tmp_path: Path) -> None:
    names = [tmp_path / name for name in ("base", "ours", "theirs")]
    names[0].touch()
    names[1].write_text("trailer_id,title\na,Alien\n")
    names[2].write_text("trailer_id,title\nb,Brazil\n")
    merged(tmp_path, names, "data/trailers.csv")
    assert names[1].read_text() == "trailer_id,title\na,Alien\nb,Brazil\n"


def test_a_split_that_is_not_in_the_cache_is_asked_for(ours: Path, tmp_path: Path) -> None:
    versions = []
    for revision in ("theirs~1", "HEAD", "theirs"):
        versions.append(tmp_path / revision.replace("~", "-"))
        versions[-1].write_text(git(ours, "show", f"{revision}:dvc.lock"))
    outs = yaml.safe_load(versions[2].read_text())["stages"]["split"]["outs"]
    digest = outs[0]["md5"]
    (ours / ".dvc/cache/files/md5" / digest[:2] / digest[2:]).unlink()
    with pytest.raises(LockMergeError, match="dvc fetch --all-branches"):
        merged(ours, versions, "dvc.lock")


def test_a_damaged_lock_is_left_to_the_user(tmp_path: Path) -> None:
    names = [tmp_path / name for name in ("base", "ours", "theirs")]
    for path in names:
        path.write_text("stages: {}")
    names[2].write_text("<<<<<<< x")
    with pytest.raises(LockMergeError, match="by hand"):
        merged(tmp_path, names, "dvc.lock")


def test_outside_git_nothing_is_installed(tmp_path: Path) -> None:
    assert not install_drivers(tmp_path)
