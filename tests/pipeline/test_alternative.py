"""The design that benchmarks/incremental.py measures ours against does run, and is what it says."""

from pathlib import Path

import pytest

from benchmarks.incremental import EXPERTS, alternative_stages, alternative_step
from benchmarks.simulated import write_project, write_video


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A simulated project of three trailers, the current folder."""
    root = tmp_path / "project"
    write_project(root, 3, experts=EXPERTS)
    (root / ".dvc/tmp").mkdir()
    monkeypatch.chdir(root)
    return root


def run() -> None:
    for step in alternative_stages():
        alternative_step(step)


def written(folder: Path) -> int:
    return len((folder / ".dvc/tmp/written").read_bytes())


def test_what_does_not_exist_is_made_once_and_then_kept_even_where_it_is_out_of_date(
    folder: Path,
) -> None:
    run()
    assert written(folder) == 3 * (3 + len(EXPERTS))
    features = (folder / "data/features/features.npy").read_bytes()
    run()
    write_video(folder, "t00001", version=1)
    run()
    assert written(folder) == 3 * (3 + len(EXPERTS))
    assert (folder / "data/features/features.npy").read_bytes() == features
    write_video(folder, "t00003")
    run()
    assert written(folder) == 4 * (3 + len(EXPERTS))
