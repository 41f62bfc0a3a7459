"""What is plainly no video is named at `init`, and neither linked, pinned nor hashed."""

import os
from typing import TYPE_CHECKING

import pytest

from mmx.trailers import PathFault, accept, init
from mmx.trailers import enrol as enrol_module
from mmx.trailers.manifest import read_manifest
from mmx.trailers.not_video import not_a_video
from mmx.trailers.paths import check_kind

if TYPE_CHECKING:
    from tests.trailers.conftest import UserFiles

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"
ODD = {
    "lfs.mp4": (POINTER, "is a pointer of git LFS: run `git lfs pull` where it comes from"),
    "loop.mp4": (b"GIF89a" + bytes(90), "is a GIF image, not a video"),
    "page.mp4": (b"<!DOCTYPE html><title>Not found</title>", "is a web page, not a video"),
    "film.zip.mp4": (b"PK\x03\x04" + bytes(90), "is a ZIP archive, not a video"),
    "voice.mp4": (b"RIFF\0\0\0\0WAVEfmt ", "is sound without pictures, not a video"),
}


@pytest.mark.parametrize("name", ODD)
def test_init_names_what_it_is(user_files: "UserFiles", name: str) -> None:
    content, reason = ODD[name]
    user_files.add("good.mp4")
    user_files.add(name, content)
    report = init(user_files.layout, user_files.videos, user_files.labels)
    assert [row.reason for row in report.rejected] == [f"video {name!r} {reason}"]
    rows = {row.video: row for row in read_manifest(user_files.layout.manifest)}
    assert rows["good.mp4"].sha256 and not rows[name].sha256
    assert not (user_files.layout.videos / name).exists()


def test_an_empty_file(user_files: "UserFiles") -> None:
    user_files.add("good.mp4").write_bytes(b"")
    report = init(user_files.layout, user_files.videos, user_files.labels)
    assert [row.reason for row in report.rejected] == ["video 'good.mp4' is empty"]


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file(user_files: "UserFiles", kind: str) -> None:
    path = user_files.add("odd.mp4")
    path.unlink()
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    report = init(user_files.layout, user_files.videos, user_files.labels)
    assert [row.reason for row in report.rejected] == ["video 'odd.mp4' is not a file"]


def test_a_sparse_terabyte_is_not_hashed(
    user_files: "UserFiles", monkeypatch: pytest.MonkeyPatch
) -> None:
    with user_files.add("vast.mp4").open("r+b") as file:
        file.truncate(1 << 40)
    monkeypatch.setattr(enrol_module, "file_digest", lambda path: pytest.fail("it is hashed"))
    report = init(user_files.layout, user_files.videos, user_files.labels)
    assert "has holes" in report.rejected[0].reason
    assert "of its 1,099,511,627,776 bytes are on the disk" in report.rejected[0].reason


def test_it_cannot_be_accepted_either(user_files: "UserFiles") -> None:
    path = user_files.add("good.mp4")
    init(user_files.layout, user_files.videos, user_files.labels)
    path.write_bytes(POINTER)
    with pytest.raises(PathFault, match="pointer of git LFS"):
        accept(user_files.layout, "good")


def test_videos_are_none_of_these(user_files: "UserFiles") -> None:
    for start in (b"\0\0\0\x20ftypisom", b"\x1aE\xdf\xa3", b"RIFF\0\0\0\0AVI LIST", b"G@\0\x10"):
        path = user_files.add("film.mp4", start)
        assert not_a_video(path) == ""
        check_kind(path, "film.mp4")
