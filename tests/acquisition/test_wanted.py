"""Rows of a list are read as people write them; a faulty one is named."""

from pathlib import Path

import pytest

from mmx.acquisition.wanted import Wanted, read_list
from mmx.trailers import TableError


def read(folder: Path, *rows: str, header: str = "title,genres,youtube_id,url") -> list[Wanted]:
    path = folder / "list.csv"
    path.write_text("\n".join([header, *rows]))
    return read_list(path)[0]


def reason(folder: Path, *rows: str) -> str:
    read(folder, *rows)
    return read_list(folder / "list.csv")[1][0].reason


@pytest.mark.parametrize(
    "cells",
    [
        "-abcdefghi_,",
        ",https://www.youtube.com/watch?v=-abcdefghi_",
        ",https://m.youtube.com/watch?list=x&v=-abcdefghi_&t=3",
        ",https://youtu.be/-abcdefghi_?t=1",
        ",http://youtube.com/shorts/-abcdefghi_",
    ],
)
def test_an_address_of_youtube_is_its_id(tmp_path: Path, cells: str) -> None:
    (row,) = read(tmp_path, f"A,Drama,{cells}")
    assert (row.trailer_id, row.youtube_id, row.host) == (
        "-abcdefghi_",
        "-abcdefghi_",
        "youtube.com",
    )
    assert row.url == "https://www.youtube.com/watch?v=-abcdefghi_"


def test_ids_that_differ_in_case_alone_have_files_that_differ(tmp_path: Path) -> None:
    one, two = read(tmp_path, "A,Drama,abcdefghijK,", "B,Drama,abcdefghijk,")
    assert one.stem.lower() != two.stem.lower()


def test_the_name_of_a_plain_address_depends_on_it_alone(tmp_path: Path) -> None:
    first = read(tmp_path, "A,Drama,,https://x.org/a/Film.mp4", "B,Drama,,https://y.org/Film.mp4")
    (again,) = read(tmp_path, "B,Drama,,https://y.org/Film.mp4")
    assert again.trailer_id == first[1].trailer_id != first[0].trailer_id
    assert again.trailer_id.startswith("film-") and again.host == "y.org"


@pytest.mark.parametrize(
    "row, word",
    [
        ("A,Drama,,", "neither"),
        ("A,Drama,short,", "11 of"),
        ("A,Drama,,ftp://x.org/a", "http"),
        ("A,Drama,,file:///etc/passwd", "http"),
        ("A,Drama,,https://me:secret@x.org/a", "http"),
        ("A,Drama,,https://x.org/a b", "http"),
        ("A,Drama,,http://[::1/a", "http"),
        ("A,Drama", "cells"),
    ],
)
def test_a_faulty_row_is_named(tmp_path: Path, row: str, word: str) -> None:
    assert word in reason(tmp_path, row)


def test_a_trailer_that_is_there_twice_is_not_fetched(tmp_path: Path) -> None:
    rows = ["A,Drama,abcdefghijk,", "B,Drama,abcdefghijk,"]
    assert read(tmp_path, *rows) == [] and "more than once" in reason(tmp_path, *rows)


def test_a_list_without_addresses_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="neither a column youtube_id nor url"):
        read(tmp_path, "A,Drama", header="title,genres")
