import os
from pathlib import Path

import pytest

from mmx.engine.atomic import atomic_path, link_or_copy, write_atomic


def test_a_written_file_is_whole_and_alone(tmp_path: Path) -> None:
    write_atomic(tmp_path / "folder" / "file", b"content")
    assert (tmp_path / "folder" / "file").read_bytes() == b"content"
    assert os.listdir(tmp_path / "folder") == ["file"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["file"]


def test_replacing_does_not_write_into_a_shared_inode(tmp_path: Path) -> None:
    """A hard link in DVC's cache must keep its bytes."""
    path, cached = tmp_path / "file", tmp_path / "cached"
    write_atomic(path, b"old")
    os.link(path, cached)
    write_atomic(path, b"new")
    assert cached.read_bytes() == b"old"


def test_a_link_shares_the_inode(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    link_or_copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a").stat().st_ino == (tmp_path / "b").stat().st_ino


def test_a_link_that_cannot_be_is_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "a").write_bytes(b"x")
    link_or_copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"x"


def test_a_link_does_not_overwrite(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").write_bytes(b"y")
    with pytest.raises(FileExistsError):
        link_or_copy(tmp_path / "a", tmp_path / "b")
