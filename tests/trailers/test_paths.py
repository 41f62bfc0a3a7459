import os
import unicodedata
from pathlib import Path
from typing import Literal

import pytest

from mmx.trailers.paths import PathFault, link, locate, path_fault, video_file

ATTACKS = [
    ("", "empty"),
    ("/etc/passwd", "absolute"),
    ("../secret.mp4", r"\.\."),
    ("a/../../secret.mp4", r"\.\."),
    ("a/./b.mp4", r"\."),
    ("a//b.mp4", "empty part"),
    ("a/", "empty part"),
    ("..\\secret.mp4", "backslash"),
    ("a\x00.mp4", "control"),
    ("a\nb.mp4", "control"),
    ("x" * 256, "longer"),
    ("é" * 128, "longer"),
    ("/".join("a" * 3000), "longer"),
    *((f"a/{name}/b.mp4", "the name of a file of git, DVC or mmx") for name in (".git", ".DVC")),
    *(
        (name, "the name of a file of git, DVC or mmx: rename it")
        for name in (
            ".dvcignore",
            ".gitignore",
            ".gitattributes",
            ".GitIgnore",
            "dvc.yaml",
            "Dvc.lock",
            "params.yaml",
            "film.dvc",
            ".mmx",
            ".DS_Store",
            "x/.x.tmp",
            "__pycache__/a.mp4",
            "a.pyc",
        )
    ),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.mp4").write_text("secret")
    videos = tmp_path / "videos"
    (videos / "sub").mkdir(parents=True)
    (videos / "sub" / "film.mp4").write_text("film")
    return videos


@pytest.mark.parametrize(("video", "reason"), ATTACKS)
def test_a_path_that_could_lead_elsewhere_is_refused(folder: Path, video: str, reason: str) -> None:
    assert path_fault(video)
    for find in (locate, video_file):
        with pytest.raises(PathFault, match=reason):
            find(folder, video)


@pytest.mark.parametrize(
    "video",
    [
        "a.mp4",
        "a/b/c.mp4",
        "…/影.mp4",
        "a b.mp4",
        "..a.mp4",
        "-x",
        ".hidden.mp4",
        "dvc.mp4",
        "params.yaml.mp4",
        "git",
        "dvc",
        "é" * 120 + "/" + "b" * 255,
    ],
)
def test_a_plain_path_is_fine(video: str) -> None:
    assert path_fault(video) == ""


def test_a_file_below_the_folder_is_found(folder: Path) -> None:
    assert locate(folder, "sub/film.mp4").read_text() == "film"


@pytest.mark.parametrize("name", ["link.mp4", "sub/link.mp4"])
def test_a_link_out_of_the_folder_is_refused(folder: Path, name: str) -> None:
    (folder / name).symlink_to(folder.parent / "secret.mp4")
    with pytest.raises(PathFault, match="leads out"):
        locate(folder, name)


def test_a_folder_that_is_a_link_out_is_refused(folder: Path) -> None:
    (folder / "out").symlink_to(folder.parent)
    with pytest.raises(PathFault, match="leads out"):
        locate(folder, "out/secret.mp4")


def test_a_folder_with_the_same_prefix_is_outside(folder: Path) -> None:
    other = folder.parent / "videos-of-others"
    other.mkdir()
    (other / "x.mp4").touch()
    (folder / "x.mp4").symlink_to(other / "x.mp4")
    with pytest.raises(PathFault, match="leads out"):
        locate(folder, "x.mp4")


def test_a_link_inside_the_folder_is_followed(folder: Path) -> None:
    (folder / "link.mp4").symlink_to("sub/film.mp4")
    assert locate(folder, "link.mp4") == (folder / "sub" / "film.mp4").resolve()


@pytest.mark.parametrize(("table", "disk"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_may_be_written_either_way(
    folder: Path, table: Literal["NFC", "NFD"], disk: Literal["NFC", "NFD"]
) -> None:
    (folder / unicodedata.normalize(disk, "été.mp4")).touch()
    assert locate(folder, unicodedata.normalize(table, "été.mp4")).exists()


def test_a_name_whose_decomposed_form_no_file_system_holds(folder: Path) -> None:
    name = "한" * 80 + ".mp4"
    with pytest.raises(PathFault, match="there is no video '한"):
        locate(folder, name)
    (folder / name).touch()
    assert locate(folder, name).name == video_file(folder, name).name == name


def test_a_link_to_itself_is_a_fault_of_its_row(folder: Path) -> None:
    (folder / "loop.mp4").symlink_to("loop.mp4")
    for find in (locate, video_file):
        with pytest.raises(PathFault, match=r"'loop\.mp4' cannot be read: Too many levels"):
            find(folder, "loop.mp4")


def test_a_name_that_the_locale_lacks_is_not_called_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def posix(path: str) -> os.stat_result:
        path.encode("ascii")
        raise FileNotFoundError

    monkeypatch.setattr(os, "stat", posix)
    with pytest.raises(PathFault, match="'été' has letters that this locale lacks: set PYTHONUTF8"):
        video_file(folder, "été")


def test_only_files_are_videos(folder: Path) -> None:
    os.mkfifo(folder / "pipe.mp4")
    for name in ("pipe.mp4", "sub"):
        for find in (locate, video_file):
            with pytest.raises(PathFault, match="is not a file"):
                find(folder, name)
    with pytest.raises(PathFault, match=r"there is no video 'sub/film\.mp4/x'"):
        video_file(folder, "sub/film.mp4/x")


def test_reasons_have_no_absolute_path(folder: Path) -> None:
    with pytest.raises(PathFault) as caught:
        locate(folder, "nothing.mp4")
    assert str(caught.value) == "there is no video 'nothing.mp4'"


def test_a_link_is_made_kept_and_moved(folder: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    source = folder / "sub" / "film.mp4"
    link(source, project, "deep/film.mp4")
    made = project / "deep" / "film.mp4"
    assert made.is_symlink() and made.samefile(source)
    number = made.lstat().st_ino
    link(source, project, "deep/film.mp4")
    assert made.lstat().st_ino == number
    link(folder.parent / "secret.mp4", project, "deep/film.mp4")
    assert made.read_text() == "secret"
    assert source.read_text() == "film"
    assert [path.name for path in made.parent.iterdir()] == ["film.mp4"]


def test_a_file_of_the_users_own_is_not_replaced(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_text("the only copy")
    with pytest.raises(PathFault, match="of its own"):
        link(folder / "sub" / "film.mp4", tmp_path, "film.mp4")
    assert (tmp_path / "film.mp4").read_text() == "the only copy"


def test_no_folder_is_made_where_a_video_lies(folder: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    link(folder / "sub" / "film.mp4", project, "film.mp4")
    for video in ("film.mp4/a.mp4", "film.mp4/deep/a.mp4"):
        with pytest.raises(PathFault, match="needs a folder where data/videos has a file"):
            link(folder / "sub" / "film.mp4", project, video)


def test_no_link_is_made_through_a_link_into_another_folder(folder: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "sub").symlink_to(folder / "sub")
    with pytest.raises(PathFault, match="through a link"):
        link(folder.parent / "secret.mp4", project, "sub/new.mp4")
    assert [path.name for path in (folder / "sub").iterdir()] == ["film.mp4"]


def test_a_folder_of_videos_linked_as_a_whole_is_left_as_it_is(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "linked").symlink_to(folder)
    link(folder / "sub" / "film.mp4", tmp_path / "linked", "sub/film.mp4")
    assert not (folder / "sub" / "film.mp4").is_symlink()
