import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from mmx.trailers.columns import LONGEST_CELL, one_line
from mmx.trailers.csvfile import TableError
from mmx.trailers.manifest import (
    COLUMNS,
    REQUIRED,
    read_manifest,
)

Writer = Callable[..., Path]


def test_a_good_row_is_typed(write_manifest: Writer) -> None:
    optional = {
        "imdb_id": "tt0078748",
        "url": "https://x.org/a",
        "group_id": "g",
        "license": "CC0",
    }
    (row,) = read_manifest(write_manifest({"sha256": "AB" * 32, **optional}))
    assert row.faults == ()
    assert (row.row, row.trailer_id, row.title, row.year) == (2, "a", "A Film", 1999)
    assert row.genres == ("Drama", "Action")
    assert (row.video, row.sha256) == ("a.mp4", "ab" * 32)
    assert (row.imdb_id, row.url, row.group_id, row.license) == tuple(optional.values())


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        ({"trailer_id": "../x"}, "trailer_id '../x' is not made of"),
        ({"title": " "}, "title is empty"),
        ({"year": "19x9"}, "year '19x9' is not one between 1880 and 2100"),
        ({"year": "1879"}, "year '1879'"),
        ({"year": "٢٠٠٠"}, "year"),
        ({"genres": " | "}, "there is no genre"),
        ({"genres": "Drama|Drama"}, "name one more than once"),
        ({"video": "../x.mp4"}, "video '../x.mp4' has"),
        ({"sha256": "abc"}, "sha256 is not 64"),
        ({"imdb_id": "0078748"}, "imdb_id '0078748' is not a valid IMDb id"),
        ({"url": "javascript:alert(1)"}, "is not http or https"),
        ({"title": "x" * 110_000}, "title has 110000 characters, more than 2000"),
        ({"genres": "Drama|" * 110_000}, "genres has 660000 characters, more than 2000"),
        ({"genres": "|".join("abc"[: n % 3 + 1] for n in range(101))}, "there are 101 genres"),
        ({"license": "x" * 2001}, "license has 2001 characters, more than 2000"),
        ({"year": "9" * 5000}, "year has 5000 characters"),
        ({"trailer_id": "x" * 1000}, "x'... is not made of"),
    ],
)
def test_a_fault_is_in_the_row_and_names_the_cell(
    write_manifest: Writer, cells: dict[str, str], fault: str
) -> None:
    (row,) = read_manifest(write_manifest(cells))
    assert len(row.faults) == 1
    assert fault in row.faults[0]
    assert len(row.faults[0]) < 200


def test_all_faults_of_a_row_are_told(write_manifest: Writer) -> None:
    (row,) = read_manifest(write_manifest({"title": "", "year": "x", "genres": ""}))
    assert len(row.faults) == 3


def test_doubled_ids_are_refused_and_named(write_manifest: Writer) -> None:
    path = write_manifest({"trailer_id": "a"}, {"trailer_id": "b"}, {"trailer_id": "a"})
    with pytest.raises(TableError, match="'a' in rows 2, 4"):
        read_manifest(path)
    path = write_manifest(*({"trailer_id": f"t{number % 500}"} for number in range(10_000)))
    with pytest.raises(TableError, match=r"and 490 more$") as caught:
        read_manifest(path)
    assert len(str(caught.value)) < 2000


def test_text_is_composed_on_one_line_and_restored(write_manifest: Writer) -> None:
    title = unicodedata.normalize("NFD", "Él  río\n\x07dorado")
    first, second = read_manifest(
        write_manifest({"title": title}, {"trailer_id": "b", "title": "'=Sum"})
    )
    assert first.title == "Él río dorado" == one_line("Él río dorado")
    assert second.title == "=Sum"


def test_each_column_of_its_own_is_required_or_optional() -> None:
    assert REQUIRED == ("trailer_id", "title", "genres", "video", "sha256")
    optional = ("imdb_id", "url", "group_id", "license")
    assert tuple(COLUMNS) == (*REQUIRED[:2], "year", *REQUIRED[2:], *optional)


def test_cells_of_other_columns_are_text_on_one_short_line(write_manifest: Writer) -> None:
    noted = {"note": unicodedata.normalize("NFD", "é\x00\r\n\u2028two"), "empty": " "}
    first, second = read_manifest(
        write_manifest({**noted, "long": "w" * 9999}, {"trailer_id": "b", **noted, "long": "'-"})
    )
    assert first.faults == ()
    assert (first.added["note"], first.added["empty"]) == ("é two", "")
    assert first.added["long"] == "w" * (LONGEST_CELL - 1) + "…"
    assert second.added["long"] == "-"


@pytest.mark.parametrize("name", ["two words", "", "reason", "x" * 65, "<b>"])
def test_a_column_that_cannot_be_kept_is_refused_by_name(write_manifest: Writer, name: str) -> None:
    with pytest.raises(TableError, match=r"^trailers\.csv has a column '"):
        read_manifest(write_manifest({name: ""}))


def test_a_year_may_be_unknown_and_its_column_missing(write_manifest: Writer) -> None:
    (row,) = read_manifest(write_manifest({"year": ""}))
    assert (row.year, row.faults) == (None, ())
    path = write_manifest({"year": ""})
    path.write_text(path.read_text().replace(",year", "").replace("A Film,", "A Film"))
    (row,) = read_manifest(path)
    assert (row.year, row.faults) == (None, ())
