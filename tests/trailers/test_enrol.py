import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mmx.params import CollectionParams
from mmx.trailers import TableError, accept, init, read_manifest
from mmx.trailers.paths import PathFault

if TYPE_CHECKING:
    from tests.trailers.conftest import Desk


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file of a folder: when it was changed, and its bytes."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def enrol(desk: "Desk", **options: object) -> Any:
    return init(desk.layout, desk.videos, desk.labels, **options)


def test_videos_are_linked_pinned_and_left_alone(desk: "Desk") -> None:
    first, second = desk.add("Alien.mp4"), desk.add("deep/er/été 2.webm", group_id="g")
    before = snapshot(desk.videos)
    report = enrol(desk)
    assert [row.status for row in report.rows] == ["added", "added"]
    assert [row["trailer_id"] for row in desk.manifest()] == ["alien", "ete-2"]
    assert [row["sha256"] for row in desk.manifest()] == [sha256(first), sha256(second)]
    link = desk.layout.videos / "deep" / "er" / "été 2.webm"
    assert link.is_symlink()
    assert link.samefile(second)
    assert snapshot(desk.videos) == before


def test_what_init_writes_is_a_manifest_without_faults(desk: "Desk") -> None:
    desk.add("a.mp4", title="=HYPERLINK(1)", imdb_id="tt1234567", url="http://x.org", license="CC0")
    enrol(desk)
    (row,) = read_manifest(desk.layout.manifest)
    assert row.faults == ()
    assert (row.title, row.imdb_id, row.license) == ("=HYPERLINK(1)", "tt1234567", "CC0")
    assert desk.manifest()[0]["title"] == "'=HYPERLINK(1)"


@pytest.mark.parametrize(
    "video", ["../secret.mp4", "/etc/passwd", "a/../../secret.mp4", "out/secret.mp4", "link.mp4"]
)
def test_a_row_that_leads_out_of_the_folder_gets_no_link(desk: "Desk", video: str) -> None:
    (desk.root / "secret.mp4").write_text("secret")
    (desk.videos / "out").symlink_to(desk.root)
    (desk.videos / "link.mp4").symlink_to(desk.root / "secret.mp4")
    desk.add(video, b"")
    desk.add("good.mp4")
    report = enrol(desk)
    assert [row.status for row in report.rows] == ["rejected", "added"]
    links = [path for path in desk.layout.videos.rglob("*") if path.is_symlink()]
    assert links == [desk.layout.videos / "good.mp4"]
    assert not any(row["sha256"] for row in desk.manifest() if row["video"] != "good.mp4")


def test_equal_stems_in_two_folders_are_two_trailers(desk: "Desk") -> None:
    one, two = desk.add("one/film.mp4"), desk.add("two/film.mp4")
    enrol(desk)
    first, second = desk.manifest()
    assert first["trailer_id"] != second["trailer_id"]
    assert [first["sha256"], second["sha256"]] == [sha256(one), sha256(two)]


def test_ids_do_not_depend_on_the_order_of_the_table(desk: "Desk") -> None:
    for video in ("one/film.mp4", "two/film.mp4", "Film!.mp4", "影.mp4"):
        desk.add(video)
    enrol(desk)
    ids = {row["video"]: row["trailer_id"] for row in desk.manifest()}
    desk.rows.reverse()
    desk.write()
    enrol(desk, force=True)
    assert {row["video"]: row["trailer_id"] for row in desk.manifest()} == ids


def test_every_row_is_reported_with_its_reason(desk: "Desk", params: CollectionParams) -> None:
    desk.add("good.mp4")
    desk.add("gone.mp4", b"")
    desk.add("good.mp4", title="Twice")
    desk.add("year.mp4", year="soon")
    desk.add("genre.mp4", genres="Drama|Telenovela")
    report = enrol(desk, params=params)
    assert [(row.row, row.status, row.reason) for row in report.rows] == [
        (2, "added", ""),
        (3, "rejected", "there is no video 'gone.mp4'"),
        (4, "rejected", "video 'good.mp4' is in row 2 already"),
        (5, "rejected", "year 'soon' is not one between 1880 and 2100"),
        (6, "rejected", "genre 'Telenovela' is not in the vocabulary"),
    ]
    assert [row.trailer_id for row in report.accepted] == ["good"]
    assert len(report.rejected) == 4
    assert [row["trailer_id"] for row in desk.manifest()] == ["good", "gone", "year", "genre"]


def test_a_ragged_row_stays_out(desk: "Desk") -> None:
    desk.add("a.mp4")
    with desk.labels.open("a", encoding="utf-8") as file:
        file.write("B,1999,Drama\n")
    report = enrol(desk)
    assert report.rejected[0].reason == "the row has 3 cells and the header 4"
    assert len(desk.manifest()) == 1


def test_ids_may_be_given(desk: "Desk") -> None:
    desk.add("a.mp4", trailer_id="alpha")
    desk.add("b.mp4", trailer_id="alpha")
    desk.add("c.mp4", trailer_id="No Way")
    desk.add("alpha.mp4", trailer_id="")
    report = enrol(desk)
    assert [row.reason for row in report.rejected] == [
        "trailer_id 'alpha' belongs to another row",
        "trailer_id 'No Way' is not made of a-z, 0-9, _ and - (at most 64)",
    ]
    ids = [row["trailer_id"] for row in desk.manifest()]
    assert ids[0] == "alpha"
    assert ids[1].startswith("alpha-")


def test_columns_that_mmx_does_not_know_are_carried_along(desk: "Desk") -> None:
    desk.add("a.mp4", Director="Ridley Scott", note="")
    desk.add("b.mp4", note="=1+1")
    assert enrol(desk).added == ("director", "note")
    first, second = desk.manifest()
    assert (first["director"], first["note"]) == ("Ridley Scott", "")
    assert (second["director"], second["note"]) == ("", "'=1+1")


def test_rows_that_are_there_get_the_cells_of_a_new_column_and_keep_all_others(
    desk: "Desk",
) -> None:
    desk.add("a.mp4", note="first")
    enrol(desk)
    (before,) = desk.manifest()
    desk.rows[0] |= {"title": "Another", "note": "second", "director": "X"}
    desk.write()
    enrol(desk)
    assert desk.manifest() == [{**before, "director": "X"}]


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
    desk: "Desk", columns: list[str], words: str
) -> None:
    desk.add("a.mp4", **dict.fromkeys(columns, "x"))
    with pytest.raises(TableError, match=words) as caught:
        enrol(desk)
    assert "\n" not in str(caught.value)
    assert not desk.layout.manifest.exists()


def test_columns_of_manifest_and_labels_together_are_bounded(desk: "Desk") -> None:
    desk.add("a.mp4", **{f"a{n}": "" for n in range(40)})
    enrol(desk)
    before = desk.layout.manifest.read_bytes()
    desk.rows = []
    desk.add("b.mp4", **{f"b{n}": "" for n in range(40)})
    with pytest.raises(TableError, match=r"trailers\.csv has 80 columns"):
        enrol(desk)
    assert desk.layout.manifest.read_bytes() == before


@pytest.mark.parametrize("column", ["title", "year", "genres", "video"])
def test_a_missing_column_is_named(desk: "Desk", column: str) -> None:
    desk.add("a.mp4")
    desk.rows = [{name: cell for name, cell in desk.rows[0].items() if name != column}]
    desk.write()
    with pytest.raises(TableError, match=f"labels.csv has no column {column}"):
        enrol(desk)
    assert not desk.layout.manifest.exists()


def test_a_grown_folder_keeps_ids_pins_and_corrections(desk: "Desk") -> None:
    desk.add("film.mp4")
    enrol(desk)
    text = desk.layout.manifest.read_text(encoding="utf-8").replace("A Film", "A Better Title")
    desk.layout.manifest.write_text(text, encoding="utf-8")
    (before,) = desk.manifest()
    desk.add("film.mp4", b"other bytes").touch()
    desk.rows.pop()
    desk.add("two/film.mp4")
    report = enrol(desk)
    assert [row.status for row in report.rows] == ["kept", "added"]
    kept, added = desk.manifest()
    assert kept == before
    assert added["trailer_id"].startswith("film-")


def test_a_second_run_changes_nothing(desk: "Desk") -> None:
    desk.add("a.mp4")
    desk.add("gone.mp4", b"")
    enrol(desk)
    before = desk.layout.manifest.read_bytes()
    enrol(desk)
    assert desk.layout.manifest.read_bytes() == before


def test_rows_and_columns_of_the_manifest_alone_are_kept(desk: "Desk") -> None:
    desk.add("a.mp4", trailer_id="a")
    enrol(desk)
    lines = desk.layout.manifest.read_text(encoding="utf-8").splitlines()
    lines = [lines[0] + ",note", lines[1] + ",mine", lines[1].replace("a,", "b,", 1) + ",-too"]
    lines[2] = lines[2].replace("a.mp4", "b.mp4")
    desk.layout.manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
    enrol(desk)
    assert [(row["trailer_id"], row["note"]) for row in desk.manifest()] == [
        ("a", "mine"),
        ("b", "'-too"),
    ]


def test_a_video_that_comes_later_is_pinned_then(desk: "Desk") -> None:
    late = desk.add("late.mp4", b"")
    assert enrol(desk).rejected
    late.write_bytes(b"here now")
    report = enrol(desk)
    assert not report.rejected
    assert desk.manifest()[0]["sha256"] == sha256(late)


def test_a_folder_that_moved_is_linked_anew_with_its_pins(desk: "Desk") -> None:
    desk.add("film.mp4")
    enrol(desk)
    before = desk.manifest()
    moved = desk.videos.rename(desk.root / "moved")
    init(desk.layout, moved, desk.labels)
    assert desk.manifest() == before
    assert (desk.layout.videos / "film.mp4").samefile(moved / "film.mp4")


def test_force_begins_anew(desk: "Desk") -> None:
    changed, dropped = desk.add("a.mp4"), desk.add("b.mp4")
    enrol(desk)
    changed.write_bytes(b"new")
    own = desk.layout.videos / "own.mp4"
    own.write_text("the only copy")
    desk.rows = desk.rows[:1]
    desk.write()
    enrol(desk, force=True)
    assert [row["sha256"] for row in desk.manifest()] == [sha256(changed)]
    assert not (desk.layout.videos / "b.mp4").is_symlink()
    assert dropped.exists()
    assert own.read_text() == "the only copy"


def test_videos_may_lie_in_the_project_already(desk: "Desk") -> None:
    desk.layout.videos.mkdir(parents=True)
    video = desk.layout.videos / "a.mp4"
    video.write_bytes(b"mine")
    desk.add("a.mp4", b"")
    report = init(desk.layout, desk.layout.videos, desk.labels)
    assert not report.rejected
    assert not video.is_symlink()
    assert video.read_bytes() == b"mine"


def test_a_pipe_is_not_waited_for(desk: "Desk") -> None:
    desk.add("pipe.mp4", b"")
    os.mkfifo(desk.videos / "pipe.mp4")
    assert enrol(desk).rejected[0].reason == "video 'pipe.mp4' is not a file"


def test_accept_pins_the_new_bytes_of_one_trailer(desk: "Desk") -> None:
    first, _ = desk.add("a.mp4"), desk.add("b.mp4", title="-b")
    enrol(desk)
    before = desk.manifest()
    first.write_bytes(b"a better copy")
    assert accept(desk.layout, "a") == sha256(first)
    assert desk.manifest() == [{**before[0], "sha256": sha256(first)}, before[1]]


@pytest.mark.parametrize(("trailer", "error"), [("nobody", TableError), ("gone", PathFault)])
def test_accept_refuses_what_it_cannot_pin(
    desk: "Desk", trailer: str, error: type[Exception]
) -> None:
    desk.add("gone.mp4", b"")
    enrol(desk)
    before = desk.layout.manifest.read_bytes()
    with pytest.raises(error, match=trailer):
        accept(desk.layout, trailer)
    assert desk.layout.manifest.read_bytes() == before
