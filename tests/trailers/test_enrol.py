import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mmx.params import CollectionParams
from mmx.trailers import TableError, accept, init, read_manifest
from mmx.trailers import enrol as enrol_module
from mmx.trailers.paths import PathFault

if TYPE_CHECKING:
    from tests.trailers.conftest import UserFiles


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file of a folder: when it was changed, and its bytes."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def enrol(user_files: "UserFiles", **options: Any) -> Any:
    return init(user_files.layout, user_files.videos, user_files.labels, **options)


def test_videos_are_linked_pinned_and_left_alone(user_files: "UserFiles") -> None:
    first, second = user_files.add("Alien.mp4"), user_files.add("deep/er/été 2.webm", group_id="g")
    before = snapshot(user_files.videos)
    report = enrol(user_files)
    assert [row.status for row in report.rows] == ["added", "added"]
    assert [row["trailer_id"] for row in user_files.manifest()] == ["alien", "ete-2"]
    assert [row["sha256"] for row in user_files.manifest()] == [sha256(first), sha256(second)]
    link = user_files.layout.videos / "deep" / "er" / "été 2.webm"
    assert link.is_symlink()
    assert link.samefile(second)
    assert snapshot(user_files.videos) == before


def test_what_init_writes_is_a_manifest_without_faults(user_files: "UserFiles") -> None:
    user_files.add(
        "a.mp4", title="=HYPERLINK(1)", imdb_id="tt1234567", url="http://x.org", license="CC0"
    )
    enrol(user_files)
    (row,) = read_manifest(user_files.layout.manifest)
    assert row.faults == ()
    assert (row.title, row.imdb_id, row.license) == ("=HYPERLINK(1)", "tt1234567", "CC0")
    assert user_files.manifest()[0]["title"] == "'=HYPERLINK(1)"


@pytest.mark.parametrize(
    "video", ["../secret.mp4", "/etc/passwd", "a/../../secret.mp4", "out/secret.mp4", "link.mp4"]
)
def test_a_row_that_leads_out_of_the_folder_gets_no_link(
    user_files: "UserFiles", video: str
) -> None:
    (user_files.root / "secret.mp4").write_text("secret")
    (user_files.videos / "out").symlink_to(user_files.root)
    (user_files.videos / "link.mp4").symlink_to(user_files.root / "secret.mp4")
    user_files.add(video, b"")
    user_files.add("good.mp4")
    report = enrol(user_files)
    assert [row.status for row in report.rows] == ["rejected", "added"]
    links = [path for path in user_files.layout.videos.rglob("*") if path.is_symlink()]
    assert links == [user_files.layout.videos / "good.mp4"]
    assert not any(row["sha256"] for row in user_files.manifest() if row["video"] != "good.mp4")


def test_equal_stems_in_two_folders_are_two_trailers(user_files: "UserFiles") -> None:
    one, two = user_files.add("one/film.mp4"), user_files.add("two/film.mp4")
    enrol(user_files)
    first, second = user_files.manifest()
    assert first["trailer_id"] != second["trailer_id"]
    assert [first["sha256"], second["sha256"]] == [sha256(one), sha256(two)]


def test_ids_do_not_depend_on_the_order_of_the_table(user_files: "UserFiles") -> None:
    for video in ("one/film.mp4", "two/film.mp4", "Film!.mp4", "影.mp4"):
        user_files.add(video)
    enrol(user_files)
    ids = {row["video"]: row["trailer_id"] for row in user_files.manifest()}
    user_files.rows.reverse()
    user_files.write()
    enrol(user_files, force=True)
    assert {row["video"]: row["trailer_id"] for row in user_files.manifest()} == ids


def test_every_row_is_reported_with_its_reason(
    user_files: "UserFiles", params: CollectionParams
) -> None:
    user_files.add("good.mp4")
    user_files.add("gone.mp4", b"")
    user_files.add("good.mp4", title="Twice")
    user_files.add("year.mp4", year="soon")
    user_files.add("genre.mp4", genres="Drama|Telenovela")
    report = enrol(user_files, params=params)
    assert [(row.row, row.status, row.reason) for row in report.rows] == [
        (2, "added", ""),
        (3, "rejected", "there is no video 'gone.mp4'"),
        (4, "rejected", "video 'good.mp4' is in row 2 already"),
        (5, "rejected", "year 'soon' is not one between 1880 and 2100"),
        (6, "rejected", "genre 'Telenovela' is not in the vocabulary"),
    ]
    assert [row.trailer_id for row in report.accepted] == ["good"]
    assert len(report.rejected) == 4
    assert [row["trailer_id"] for row in user_files.manifest()] == ["good", "gone", "year", "genre"]


def test_a_ragged_row_stays_out(user_files: "UserFiles") -> None:
    user_files.add("a.mp4")
    with user_files.labels.open("a", encoding="utf-8") as file:
        file.write("B,1999,Drama\n")
    report = enrol(user_files)
    assert report.rejected[0].reason == "the row has 3 cells and the header 4"
    assert len(user_files.manifest()) == 1


def test_ids_may_be_given(user_files: "UserFiles") -> None:
    user_files.add("a.mp4", trailer_id="alpha")
    user_files.add("b.mp4", trailer_id="alpha")
    user_files.add("c.mp4", trailer_id="No Way")
    user_files.add("alpha.mp4", trailer_id="")
    report = enrol(user_files)
    assert [row.reason for row in report.rejected] == [
        "trailer_id 'alpha' belongs to another row",
        "trailer_id 'No Way' is not made of A-Z, a-z, 0-9, _ and - (at most 64)",
    ]
    ids = [row["trailer_id"] for row in user_files.manifest()]
    assert ids[0] == "alpha"
    assert ids[1].startswith("alpha-")


def test_columns_that_mmx_does_not_know_are_carried_along(user_files: "UserFiles") -> None:
    user_files.add("a.mp4", Director="Ridley Scott", note="")
    user_files.add("b.mp4", note="=1+1")
    assert enrol(user_files).added == ("director", "note")
    first, second = user_files.manifest()
    assert (first["director"], first["note"]) == ("Ridley Scott", "")
    assert (second["director"], second["note"]) == ("", "'=1+1")


def test_rows_that_are_there_get_the_cells_of_a_new_column_and_keep_all_others(
    user_files: "UserFiles",
) -> None:
    user_files.add("a.mp4", note="first")
    enrol(user_files)
    (before,) = user_files.manifest()
    user_files.rows[0] |= {"title": "Another", "note": "second", "director": "X"}
    user_files.write()
    enrol(user_files)
    assert user_files.manifest() == [{**before, "director": "X"}]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            ["Director's"],
            r'^labels\.csv has a column "director\'s": name a column of your own with',
        ),
        (["réalisateur"], "'réalisateur': name a column of your own with a-z, 0-9 and _"),
        ([""], "labels.csv has a column ''"),
        (["1st"], "'1st'"),
        (["a" * 65], f"'{'a' * 64}'"),
        (["status"], "labels.csv has a column 'status', which mmx fills in: rename it"),
        (["reason"], "'reason', which mmx fills in"),
        ([f"c{n}" for n in range(65)], "has 65 columns that mmx does not know, more than 64"),
    ],
)
def test_a_column_that_cannot_be_kept_is_one_sentence(
    user_files: "UserFiles", columns: list[str], words: str
) -> None:
    user_files.add("a.mp4", **dict.fromkeys(columns, "x"))
    with pytest.raises(TableError, match=words) as caught:
        enrol(user_files)
    assert "\n" not in str(caught.value)
    assert not user_files.layout.manifest.exists()


def test_columns_of_manifest_and_labels_together_are_bounded(user_files: "UserFiles") -> None:
    user_files.add("a.mp4", **{f"a{n}": "" for n in range(40)})
    enrol(user_files)
    before = user_files.layout.manifest.read_bytes()
    user_files.rows = []
    user_files.add("b.mp4", **{f"b{n}": "" for n in range(40)})
    with pytest.raises(TableError, match=r"trailers\.csv has 80 columns"):
        enrol(user_files)
    assert user_files.layout.manifest.read_bytes() == before


@pytest.mark.parametrize("column", ["title", "genres", "video"])
def test_a_missing_column_is_named(user_files: "UserFiles", column: str) -> None:
    user_files.add("a.mp4")
    user_files.rows = [{name: cell for name, cell in user_files.rows[0].items() if name != column}]
    user_files.write()
    with pytest.raises(TableError, match=f"labels.csv has no column {column}"):
        enrol(user_files)
    assert not user_files.layout.manifest.exists()


def test_a_grown_folder_keeps_ids_pins_and_corrections(user_files: "UserFiles") -> None:
    user_files.add("film.mp4")
    enrol(user_files)
    text = user_files.layout.manifest.read_text(encoding="utf-8").replace(
        "A Film", "A Better Title"
    )
    user_files.layout.manifest.write_text(text, encoding="utf-8")
    (before,) = user_files.manifest()
    user_files.add("film.mp4", b"other bytes").touch()
    user_files.rows.pop()
    user_files.add("two/film.mp4")
    report = enrol(user_files)
    assert [row.status for row in report.rows] == ["kept", "added"]
    kept, added = user_files.manifest()
    assert kept == before
    assert added["trailer_id"].startswith("film-")


def test_a_second_run_changes_nothing(user_files: "UserFiles") -> None:
    user_files.add("a.mp4")
    user_files.add("gone.mp4", b"")
    enrol(user_files)
    before = user_files.layout.manifest.read_bytes()
    enrol(user_files)
    assert user_files.layout.manifest.read_bytes() == before


def test_rows_and_columns_of_the_manifest_alone_are_kept(user_files: "UserFiles") -> None:
    user_files.add("a.mp4", trailer_id="a")
    enrol(user_files)
    lines = user_files.layout.manifest.read_text(encoding="utf-8").splitlines()
    lines = [lines[0] + ",note", lines[1] + ",mine", lines[1].replace("a,", "b,", 1) + ",-too"]
    lines[2] = lines[2].replace("a.mp4", "b.mp4")
    user_files.layout.manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
    enrol(user_files)
    assert [(row["trailer_id"], row["note"]) for row in user_files.manifest()] == [
        ("a", "mine"),
        ("b", "'-too"),
    ]


def test_a_video_that_comes_later_is_pinned_then(user_files: "UserFiles") -> None:
    late = user_files.add("late.mp4", b"")
    assert enrol(user_files).rejected
    late.write_bytes(b"here now")
    report = enrol(user_files)
    assert not report.rejected
    assert user_files.manifest()[0]["sha256"] == sha256(late)


def test_a_folder_that_moved_is_linked_anew_with_its_pins(user_files: "UserFiles") -> None:
    user_files.add("film.mp4")
    enrol(user_files)
    before = user_files.manifest()
    moved = user_files.videos.rename(user_files.root / "moved")
    init(user_files.layout, moved, user_files.labels)
    assert user_files.manifest() == before
    assert (user_files.layout.videos / "film.mp4").samefile(moved / "film.mp4")


def test_force_begins_anew(user_files: "UserFiles") -> None:
    changed, dropped = user_files.add("a.mp4"), user_files.add("b.mp4")
    enrol(user_files)
    changed.write_bytes(b"new")
    own = user_files.layout.videos / "own.mp4"
    own.write_text("the only copy")
    user_files.rows = user_files.rows[:1]
    user_files.write()
    enrol(user_files, force=True)
    assert [row["sha256"] for row in user_files.manifest()] == [sha256(changed)]
    assert not (user_files.layout.videos / "b.mp4").is_symlink()
    assert dropped.exists()
    assert own.read_text() == "the only copy"


def test_videos_may_lie_in_the_project_already(user_files: "UserFiles") -> None:
    user_files.layout.videos.mkdir(parents=True)
    video = user_files.layout.videos / "a.mp4"
    video.write_bytes(b"mine")
    user_files.add("a.mp4", b"")
    report = init(user_files.layout, user_files.layout.videos, user_files.labels)
    assert not report.rejected
    assert not video.is_symlink()
    assert video.read_bytes() == b"mine"


def test_a_pipe_is_not_waited_for(user_files: "UserFiles") -> None:
    user_files.add("pipe.mp4", b"")
    os.mkfifo(user_files.videos / "pipe.mp4")
    assert enrol(user_files).rejected[0].reason == "video 'pipe.mp4' is not a file"


def test_accept_pins_the_new_bytes_of_one_trailer(user_files: "UserFiles") -> None:
    first, _ = user_files.add("a.mp4"), user_files.add("b.mp4", title="-b")
    enrol(user_files)
    before = user_files.manifest()
    first.write_bytes(b"a better copy")
    assert accept(user_files.layout, "a") == sha256(first)
    assert user_files.manifest() == [{**before[0], "sha256": sha256(first)}, before[1]]


@pytest.mark.parametrize(("trailer", "error"), [("nobody", TableError), ("gone", PathFault)])
def test_accept_refuses_what_it_cannot_pin(
    user_files: "UserFiles", trailer: str, error: type[Exception]
) -> None:
    user_files.add("gone.mp4", b"")
    enrol(user_files)
    before = user_files.layout.manifest.read_bytes()
    with pytest.raises(error, match=trailer):
        accept(user_files.layout, trailer)
    assert user_files.layout.manifest.read_bytes() == before


HOSTILE = [
    ("한" * 80 + ".mp4", "there is no video '한"),
    ("/".join("a" * 3000), "is longer than a file name can be"),
    ("b" * 100_000, "is longer than a file name can be"),
    (".dvcignore", "has the name of a file of git, DVC or mmx: rename it"),
    ("good.mp4/under.mp4", "there is no video"),
    ("loop.mp4", "Too many levels of symbolic links"),
    ("a\0b", "has a backslash or control character"),
]


def test_one_row_stops_no_table(user_files: "UserFiles", params: CollectionParams) -> None:
    user_files.add("good.mp4")
    (user_files.videos / "loop.mp4").symlink_to("loop.mp4")
    for video, _ in HOSTILE:
        user_files.add(video, b"")
    for number, cells in enumerate(
        (
            {"title": "x" * 1_000_000},
            {"genres": "|".join(map(str, range(20_000)))},
            {"year": "9" * 5000},
        )
    ):
        user_files.add(f"{number}.mp4", **cells)
    user_files.add("last.mp4")
    report = enrol(user_files, params=params)
    assert [row.status for row in report.rows if row.row in (2, len(user_files.rows) + 1)] == [
        "added",
        "added",
    ]
    assert len(report.accepted) == 2
    reasons = {row.row: row.reason for row in report.rejected}
    for row, (_, reason) in enumerate(HOSTILE, start=3):
        assert reason in reasons[row]
    assert (
        max(map(len, reasons.values())) < 500 and max(len(row.title) for row in report.rows) <= 2000
    )
    assert read_manifest(user_files.layout.manifest)[0].faults == ()


def test_a_video_that_cannot_be_read_is_named(
    user_files: "UserFiles", monkeypatch: pytest.MonkeyPatch
) -> None:
    user_files.add("a.mp4")
    user_files.add("b.mp4")

    def unreadable(path: Path) -> str:
        if path.name == "a.mp4":
            raise PermissionError(13, "Permission denied")
        return "0" * 64

    monkeypatch.setattr(enrol_module, "file_digest", unreadable)
    first, second = enrol(user_files).rows
    assert first.reason == "video 'a.mp4' cannot be read: Permission denied"
    assert second.status == "added" and user_files.manifest()[1]["sha256"] == "0" * 64


def test_an_update_takes_corrections_keeps_pins_and_says_what_changed(
    user_files: "UserFiles",
) -> None:
    user_files.add("a.mp4", group_id="g", note="old")
    user_files.add("b.mp4", note="same")
    enrol(user_files)
    before = user_files.manifest()
    user_files.rows[0] |= {"title": "Corrected", "year": "", "group_id": "", "note": "new"}
    user_files.write()
    kept = enrol(user_files)
    assert user_files.manifest() == before
    report = enrol(user_files, update=True)
    expected = {"title": ("A Film", "Corrected"), "year": ("1999", ""), "note": ("old", "new")}
    assert [row.changes for row in report.rows] == [expected, {}]
    assert [row.changes for row in kept.rows] == [expected, {}]
    assert [row.status for row in report.rows] == ["updated", "kept"]
    corrected = {name: new for name, (_, new) in expected.items()}
    assert user_files.manifest() == [before[0] | corrected, before[1]]


def test_a_manifest_that_is_written_anew_keeps_the_ids_of_its_videos(
    user_files: "UserFiles",
) -> None:
    user_files.add("film.mp4")
    enrol(user_files)
    user_files.add("two/film.mp4")
    enrol(user_files)
    before = [row["trailer_id"] for row in user_files.manifest()]
    user_files.rows.reverse()
    user_files.write()
    enrol(user_files, force=True)
    assert [row["trailer_id"] for row in user_files.manifest()] == before[::-1]
    user_files.layout.manifest.write_bytes(b"\xff")
    assert not enrol(user_files, force=True).rejected
