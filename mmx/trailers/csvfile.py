"""CSV files for people: strict about their form, and safe to open in a spreadsheet.

A spreadsheet runs a cell that begins with = + - or @ as a formula. In files for people, mmx puts
an apostrophe before such a cell; reading the manifest removes it.
"""

import csv
import io
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from mmx.engine.atomic import write_atomic
from mmx.engine.files import FileRefusedError, read_regular
from mmx.errors import UserError
from mmx.trailers.quoting import listed, quoted

LARGEST = 1 << 31
"""Bytes of a table: ten million rows have fewer."""
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_DEFUSED = re.compile(r"'+[=+\-@\t\r]")
_LONGEST_NAME, _MOST_NAMES = 64, 100
"""Characters and number of the names that are compared with missing ones."""
_FIRST = frozenset("'=+-@\t\r")
"""What a cell that may have to be defused begins with."""
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", ":": "colons"}
_BEGINNINGS = {
    b"PK\x03\x04": "it is a spreadsheet file",
    b"\xd0\xcf\x11\xe0": "it is a spreadsheet file",
    b"\xff\xfe": "it is UTF-16",
    b"\xfe\xff": "it is UTF-16",
    b"PAR1": "it is a Parquet file",
}
"""First bytes of what people take for a CSV file."""


class TableError(UserError):
    """A CSV file is missing or cannot be read as the table that it should be."""


@dataclass(frozen=True)
class Record:
    """One row of a table, as text."""

    row: int
    """Row number as in a spreadsheet: the header is row 1."""
    values: dict[str, str]
    """Text by column, without white space around it; empty where the row has no cell."""
    fault: str = ""
    """What is wrong with the number of cells; empty if nothing is."""


@dataclass(frozen=True)
class CsvTable:
    """A CSV file."""

    columns: tuple[str, ...]
    """In the file's order, in lower case."""
    records: tuple[Record, ...]
    """Rows that are not empty."""


def defuse(text: str) -> str:
    """Return `text` so that no spreadsheet takes it for a formula; `restore` undoes it.

    >>> defuse("=1+1"), defuse("Alien")
    ("'=1+1", 'Alien')
    >>> restore(defuse("=1+1"))
    '=1+1'
    """
    return f"'{text}" if text[:1] in _FIRST and _FORMULA.match(text) else text


def restore(text: str) -> str:
    """Undo `defuse`."""
    return text[1:] if text[:1] == "'" and _DEFUSED.match(text) else text


def read_csv(path: Path, required: Sequence[str], defused: bool = False) -> CsvTable:
    """Read a CSV file in UTF-8, with or without a byte order mark.

    With `defused`, cells are restored. Raise TableError if the file is missing, is not UTF-8 or
    CSV, or if columns are missing or duplicate: they are named.
    """
    rows = _rows(path.name, _text(path))
    header = next(rows, None)
    if header is None:
        raise TableError(f"{path.name} is empty: its first row must name the columns")
    columns = tuple(name.strip().lower() for name in header)
    _check_columns(path.name, columns, required)
    clean = restore if defused else str
    records = (
        _record(row, columns, [clean(cell.strip()) for cell in cells])
        for row, cells in enumerate(rows, start=2)
        if any(map(str.strip, cells))
    )
    return CsvTable(columns, tuple(records))


def _text(path: Path) -> str:
    """Return the text of a table; raise TableError where it cannot be one."""
    try:
        content = read_regular(path, LARGEST)
    except FileNotFoundError:
        raise TableError(f"{path.name} does not exist") from None
    except (OSError, FileRefusedError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise TableError(f"{path.name} cannot be read: {reason}") from None
    for beginning, what in _BEGINNINGS.items():
        if content.startswith(beginning):
            raise TableError(f"{path.name} cannot be read, {what}: save it as CSV in UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TableError(
            f"{path.name} cannot be read, byte {error.start} is not UTF-8 (line {line}): "
            "save it as CSV in UTF-8"
        ) from None


def _rows(name: str, text: str) -> Iterator[list[str]]:
    """Yield the cells of each row; raise TableError, which names the row, for what is not CSV."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    row, line = 1, 1
    with _cells_of_any_length():
        try:
            for cells in reader:
                yield cells
                row, line = row + 1, reader.line_num + 1
        except csv.Error as error:
            unclosed = str(error) == "unexpected end of data"
            reason = 'a quotation mark (") is not closed' if unclosed else error
            raise TableError(
                f"{name} is not CSV: {reason}, in row {row}, which begins in line {line}"
            ) from None


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    """Let a cell be longer than the limit of the module csv: its row is at fault, not the table."""
    limit = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _check_columns(name: str, columns: Sequence[str], required: Sequence[str]) -> None:
    missing = [column for column in required if column not in columns]
    if missing:
        raise TableError(
            f"{name} has no column {', '.join(missing)}; it has "
            f"{listed(columns)}{_separator_hint(columns) or _name_hint(missing, columns)}"
        )
    doubled = [column for column, count in Counter(columns).items() if count > 1]
    if doubled:
        raise TableError(f"{name} has more than one column {listed(map(quoted, doubled))}")


def _separator_hint(columns: Sequence[str]) -> str:
    """Return what to do where the header is one cell, because no comma separates its names."""
    found = [words for sign, words in _SEPARATORS.items() if sign in columns[0]]
    return (
        f": it is separated by {found[0]}, save it with commas"
        if len(columns) == 1 and found
        else ""
    )


def _name_hint(missing: Sequence[str], columns: Sequence[str]) -> str:
    """Return which columns may be the missing ones under other names."""
    others = [column[:_LONGEST_NAME] for column in columns[:_MOST_NAMES] if column]
    near = {name: _like(name, others) for name in missing}
    renames = [f"{quoted(found)} to {name}" for name, found in near.items() if found]
    return f": rename {listed(renames)}" if renames else ""


def _like(name: str, columns: Sequence[str]) -> str:
    """Return the first column whose name has or resembles `name`; empty where none does."""
    within = (column for column in columns if name in column or name.rstrip("s") in column.split())
    return next(within, "") or next(iter(get_close_matches(name, columns, n=1)), "")


def _record(row: int, columns: Sequence[str], cells: Sequence[str]) -> Record:
    if len(cells) == len(columns):
        return Record(row, dict(zip(columns, cells, strict=True)))
    padded = [*cells, *[""] * (len(columns) - len(cells))]
    fault = f"the row has {len(cells)} cells and the header {len(columns)}"
    return Record(row, dict(zip(columns, padded, strict=False)), fault)


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write rows (text by column; missing is empty) to `path` atomically, with formulas defused."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([defuse(row.get(column, "")) for column in columns] for row in rows)
    write_atomic(path, text.getvalue().encode("utf-8"))
