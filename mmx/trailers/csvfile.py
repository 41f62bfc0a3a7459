"""CSV files for people: strict about their form, and safe to open in a spreadsheet.

A spreadsheet runs a cell that begins with = + - or @ as a formula. In files for people, mmx puts
an apostrophe before such a cell; reading the manifest removes it.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmx.engine.atomic import write_atomic
from mmx.errors import UserError

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_DEFUSED = re.compile(r"'+[=+\-@\t\r]")


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
    return f"'{text}" if _FORMULA.match(text) else text


def restore(text: str) -> str:
    """Undo `defuse`."""
    return text[1:] if _DEFUSED.match(text) else text


def read_csv(path: Path, required: Sequence[str], defused: bool = False) -> CsvTable:
    """Read a CSV file in UTF-8, with or without a byte order mark.

    With `defused`, cells are restored. Raise TableError if the file is missing, is not UTF-8 or
    CSV, or if columns are missing or duplicate: they are named.
    """
    rows = _read_rows(path)
    if not rows:
        raise TableError(f"{path.name} is empty: its first row must name the columns")
    columns = tuple(name.strip().lower() for name in rows[0])
    _check_columns(path.name, columns, required)
    clean = restore if defused else str
    records = (
        _record(row, columns, [clean(cell.strip()) for cell in cells])
        for row, cells in enumerate(rows[1:], start=2)
        if any(map(str.strip, cells))
    )
    return CsvTable(columns, tuple(records))


def _read_rows(path: Path) -> list[list[str]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except FileNotFoundError:
        raise TableError(f"{path.name} does not exist") from None
    except OSError as error:
        raise TableError(f"{path.name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        reason = f"byte {error.start} is not UTF-8: save it as CSV in UTF-8"
        raise TableError(f"{path.name} cannot be read, {reason}") from None
    except csv.Error as error:
        raise TableError(f"{path.name} is not CSV: {error}") from None


def _check_columns(name: str, columns: Sequence[str], required: Sequence[str]) -> None:
    missing = [column for column in required if column not in columns]
    if missing:
        raise TableError(f"{name} has no column {', '.join(missing)}; it has {', '.join(columns)}")
    doubled = [column for column, count in Counter(columns).items() if count > 1]
    if doubled:
        raise TableError(f"{name} has more than one column {', '.join(map(repr, doubled))}")


def _record(row: int, columns: Sequence[str], cells: Sequence[str]) -> Record:
    padded = [*cells, *[""] * (len(columns) - len(cells))]
    same = len(cells) == len(columns)
    fault = "" if same else f"the row has {len(cells)} cells and the header {len(columns)}"
    return Record(row, dict(zip(columns, padded, strict=False)), fault)


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write rows (text by column; missing is empty) to `path` atomically, with formulas defused."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([defuse(row.get(column, "")) for column in columns] for row in rows)
    write_atomic(path, text.getvalue().encode("utf-8"))
