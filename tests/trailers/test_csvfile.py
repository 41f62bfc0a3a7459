import csv
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmx.trailers.csvfile import TableError, defuse, read_csv, restore, write_csv


@pytest.mark.parametrize("text", ["=1+2", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "'=1", "''-x"])
def test_formulas_are_defused(text: str) -> None:
    assert defuse(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "Drama", "'Tis", "a=b", "'", "1-2", "O'Hara"])
def test_other_text_is_left_alone(text: str) -> None:
    assert defuse(text) == text == restore(text)


@given(st.text())
def test_restoring_undoes_defusing_and_no_cell_begins_a_formula(text: str) -> None:
    assert restore(defuse(text)) == text
    assert not defuse(text).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_table_is_read_with_and_without_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for encoding in ("utf-8", "utf-8-sig"):
        path.write_text("Title,Year\n Été ,1999\n", encoding=encoding)
        table = read_csv(path, ["title"])
        assert table.columns == ("title", "year")
        assert table.records[0].values == {"title": "Été", "year": "1999"}


def test_rows_are_numbered_as_in_a_spreadsheet_and_empty_ones_skipped(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('title\n"two\nlines"\n\n   \nfive\n', encoding="utf-8")
    assert [(one.row, one.values["title"]) for one in read_csv(path, []).records] == [
        (2, "two\nlines"),
        (5, "five"),
    ]


def test_a_row_of_another_length_says_so(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1\n1,2,3\n1,2\n", encoding="utf-8")
    short, long, right = read_csv(path, []).records
    assert short.fault == "the row has 1 cells and the header 2"
    assert short.values == {"a": "1", "b": ""}
    assert long.fault == "the row has 3 cells and the header 2"
    assert right.fault == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "t.csv is empty"),
        (b"title\nx\n", "no column year, genres; it has title"),
        (b"title,year,genres,title\n", "more than one column 'title'"),
        (b"title\n\xff\n", "byte 6 is not UTF-8"),
        (b'title,year,genres\n"x"y\n', "not CSV: .*, in row 2, which begins in line 2"),
        (
            b'title,year,genres\n"two\nlines"\nfine\n"never ends\n\n',
            r'not CSV: a quotation mark \("\) is not closed, in row 4, which begins in line 5',
        ),
        (
            b"title;year;genres\n",
            "no column title, year, genres; it has title;year;genres: it is separated by "
            "semicolons, save it with commas",
        ),
        (
            b"title,Release Year,File\n",
            "no column year, genres; it has title, release year, file: "
            "rename 'release year' to year$",
        ),
        (b"titel,years,genre\n", "rename 'titel' to title, 'years' to year, 'genre' to genres$"),
        (b"title\tyear\n", "separated by tabs, save it with commas"),
        (b"PK\x03\x04etc", "it is a spreadsheet file: save it as CSV in UTF-8"),
        ("title,year".encode("utf-16"), "it is UTF-16: save it as CSV in UTF-8"),
        (b"PAR1etc", "it is a Parquet file"),
        (b"title" + b",x" * 100_000, r"it has title, x, x, x, x, x, x, x, x, x and 99991 more$"),
        (b"title,year,genres" + b",x,y" * 2, "more than one column 'x', 'y'$"),
        (b"title,year,genres,,," + b"a" * 10_000, "more than one column ''$"),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(TableError, match=message):
        read_csv(tmp_path / "t.csv", ["title", "year", "genres"])


def test_a_cell_of_any_length_is_read(tmp_path: Path) -> None:
    limit = csv.field_size_limit()
    (tmp_path / "t.csv").write_bytes(b"title\n" + b"x" * 200_000 + b"\n")
    (record,) = read_csv(tmp_path / "t.csv", ["title"]).records
    assert len(record.values["title"]) == 200_000
    assert csv.field_size_limit() == limit


def test_what_never_ends_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with (tmp_path / "sparse.csv").open("wb") as file:
        file.truncate(1 << 40)
    for name, said in [
        ("pipe.csv", "it is a pipe or a device, not a file"),
        ("sparse.csv", "it has 1099511627776 bytes, more than 2147483648"),
    ]:
        with pytest.raises(TableError, match=f"^{name} cannot be read: {said}$"):
            read_csv(tmp_path / name, [])
    with pytest.raises(TableError, match=r"^zero cannot be read: it is a pipe or a device"):
        read_csv(Path("/dev/zero"), [])


def test_a_missing_table_is_named_without_its_folder(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"^t\.csv does not exist$"):
        read_csv(tmp_path / "t.csv", [])


cells = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12).map(str.strip)


@given(st.lists(st.tuples(cells, cells).filter(any), max_size=5))
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("round") / "t.csv"
    records = [dict(zip("ab", row, strict=True)) for row in rows]
    write_csv(path, ["a", "b"], records)
    assert [one.values for one in read_csv(path, "ab", defused=True).records] == records
    with path.open(encoding="utf-8", newline="") as file:
        plain = list(csv.reader(file))[1:]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in plain for cell in row)
