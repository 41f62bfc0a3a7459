"""The manifest, data/trailers.csv: what people say about each trailer, checked row by row."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Annotated, get_type_hints

import pyarrow as pa

from mmx.trailers.columns import ADDED, Column, check_added, composed, one_line
from mmx.trailers.csvfile import CsvTable, Record, TableError, read_csv, write_csv
from mmx.trailers.genres import split_genres
from mmx.trailers.ids import id_fault
from mmx.trailers.paths import path_fault

YEARS = range(1880, 2101)


def _year(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{4}", text) and int(text) in YEARS else None


def _title_fault(text: str) -> str:
    return "" if one_line(text) else "title is empty"


def _year_fault(text: str) -> str:
    words = f"year {text!r} is not one between {YEARS[0]} and {YEARS[-1]}"
    return words if text and _year(text) is None else ""


def _genres_fault(text: str) -> str:
    genres = split_genres(text)
    if not genres:
        return "there is no genre"
    doubled = len(set(genres)) < len(genres)
    return f"genres {'|'.join(genres)!r} name one more than once" if doubled else ""


def _sha256_fault(text: str) -> str:
    sound = re.fullmatch(r"([0-9a-f]{64})?", text.lower())
    return "" if sound else "sha256 is not 64 hexadecimal digits"


def _imdb_fault(text: str) -> str:
    sound = re.fullmatch(r"(tt[0-9]{7,12})?", text)
    return "" if sound else f"imdb_id {text!r} is not a valid IMDb id"


def _url_fault(text: str) -> str:
    return "" if re.fullmatch(r"(https?://\S+)?", text) else f"url {text!r} is not http or https"


@dataclass(frozen=True, kw_only=True)
class ManifestRow:
    """One trailer as the manifest has it.

    A column of mmx's own is declared here and nowhere else: a field that is annotated with a
    Column. The manifest must have those without a default; it is written in this order.
    """

    row: int
    """Number in a spreadsheet: the header is row 1."""
    trailer_id: Annotated[
        str, Column("Identifier of the trailer, the same in every table.", check=id_fault)
    ]
    title: Annotated[str, Column("Title of the film.", read=one_line, check=_title_fault)]
    """In composed form (NFC), on one line."""
    year: Annotated[
        int | None,
        Column("Year of release.", pa.int32(), nullable=True, read=_year, check=_year_fault),
    ] = None
    """None where the cell is empty or no year."""
    genres: Annotated[
        tuple[str, ...],
        Column(
            "Genre labels, in the order of the manifest.",
            pa.list_(pa.string()),
            read=split_genres,
            check=_genres_fault,
        ),
    ]
    """In the manifest's order; the first is the primary one."""
    video: Annotated[
        str,
        Column(
            "Path of the video below data/.", read=composed, check=lambda t: path_fault(composed(t))
        ),
    ]
    """Path below data/videos."""
    sha256: Annotated[
        str, Column("sha256 of the video.", type=None, read=str.lower, check=_sha256_fault)
    ]
    """Pinned digest of the video; empty where none is."""
    imdb_id: Annotated[str, Column("Identifier in IMDb.", check=_imdb_fault)] = ""
    url: Annotated[str, Column("Address of the trailer.", check=_url_fault)] = ""
    group_id: Annotated[str, Column("Trailers of one film share it, and a split.")] = ""
    """The film, as the manifest names it; empty where it does not."""
    license: Annotated[str, Column("Licence of the video.")] = ""
    added: Mapping[str, str] = field(default_factory=dict)
    """Text by column that mmx does not know, as ADDED reads it."""
    faults: tuple[str, ...] = ()
    """What is wrong with the row, in words; vocabulary and video apart."""


_NOTES = {
    name: getattr(hint, "__metadata__", ())
    for name, hint in get_type_hints(ManifestRow, include_extras=True).items()
}
COLUMNS: Mapping[str, Column] = {name: notes[0] for name, notes in _NOTES.items() if notes}
"""mmx's own columns by name, as ManifestRow declares them."""
_OWN = [each for each in fields(ManifestRow) if each.name in COLUMNS]
REQUIRED = tuple(each.name for each in _OWN if each.default is MISSING)

VERDICT = {
    "status": Column("accepted or rejected."),
    "reason": Column("Why the trailer was rejected."),
}
"""What ingest adds in trailers.parquet."""
_FIRST = ("trailer_id", "title", "year", "genres", "group_id", "video", *VERDICT)
"""These stand first in trailers.parquet; the others follow as they are declared."""
PARQUET_COLUMNS: Mapping[str, Column] = {
    name: column
    for name in dict.fromkeys((*_FIRST, *COLUMNS))
    if (column := {**COLUMNS, **VERDICT}[name]).type
}
"""mmx's own columns of trailers.parquet, in order."""


def read_manifest(path: Path) -> list[ManifestRow]:
    """Read the manifest, in its order; a row's faults are in the row.

    Raise TableError if it is no table, lacks columns, or names a trailer_id twice.
    """
    rows = [parse_row(record) for record in read_records(path).records]
    _refuse_duplicates(path.name, rows)
    return rows


def read_records(path: Path) -> CsvTable:
    """Read the manifest as text.

    Raise TableError if it is no table, lacks columns, or has one that cannot be kept.
    """
    if not path.exists():
        raise TableError(f"{path.name} is not there yet: `mmx init` makes it")
    table = read_csv(path, REQUIRED, defused=True)
    added_columns(path.name, table.columns)
    return table


def added_columns(file: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return the columns of a table that mmx does not know and keeps as text, in their order.

    Raise TableError, which calls the table `file`, for one that cannot be kept.
    """
    added = tuple(name for name in names if name not in COLUMNS)
    filled = [name for name in added if name in VERDICT]
    if filled:
        raise TableError(f"{file} has a column {filled[0]!r}, which mmx fills in: rename it")
    check_added(file, added)
    return added


def write_records(path: Path, columns: Sequence[str], records: Iterable[dict[str, str]]) -> None:
    """Write the manifest in one go: its own columns, then the others of `columns`."""
    added = [column for column in columns if column not in COLUMNS]
    write_csv(path, [*COLUMNS, *added], records)


def _refuse_duplicates(name: str, rows: Iterable[ManifestRow]) -> None:
    """Raise TableError if two rows have the same trailer_id; all such are named."""
    places: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        places[row.trailer_id].append(row.row)
    doubles = [
        f"{trailer_id!r} in rows {', '.join(map(str, found))}"
        for trailer_id, found in places.items()
        if len(found) > 1
    ]
    if doubles:
        raise TableError(f"{name} has a trailer_id more than once: {'; '.join(doubles)}")


def parse_row(record: Record) -> ManifestRow:
    """Return what a record says, with everything that is wrong with it in `faults`."""
    cells = {name: record.values.get(name, "") for name in COLUMNS}
    faults = [record.fault, *(column.check(cells[name]) for name, column in COLUMNS.items())]
    return ManifestRow(
        row=record.row,
        **{name: column.read(cells[name]) for name, column in COLUMNS.items()},
        added={
            name: ADDED.read(cell) for name, cell in record.values.items() if name not in COLUMNS
        },
        faults=tuple(filter(None, faults)),
    )
