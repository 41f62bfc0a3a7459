"""The manifest, data/trailers.csv: what people say about each trailer, checked row by row."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, get_type_hints

import pyarrow as pa

from mmx.errors import COMMAND_FOR, MANIFEST
from mmx.trailers.columns import ADDED, Column, check_added, composed, one_line
from mmx.trailers.csvfile import CsvTable, Record, TableError, read_csv, write_csv
from mmx.trailers.genres import split_genres
from mmx.trailers.ids import LENGTH, id_fault
from mmx.trailers.paths import path_fault
from mmx.trailers.quoting import listed, quoted

YEARS = range(1880, 2101)
LONGEST_TEXT, MOST_GENRES = 2000, 100
"""Characters of a cell of mmx's own columns, and genres in a cell."""
_FOUR_DIGITS = re.compile(r"[0-9]{4}")
_SHA256 = re.compile(r"([0-9a-f]{64})?")
_IMDB = re.compile(r"(tt[0-9]{7,12})?")
_URL = re.compile(r"(https?://\S+)?")


def _year(text: str) -> int | None:
    return int(text) if _FOUR_DIGITS.fullmatch(text) and int(text) in YEARS else None


def _title_fault(text: str) -> str:
    return "" if one_line(text) else "title is empty"


def _year_fault(text: str) -> str:
    if not text or _year(text) is not None:
        return ""
    return f"year {quoted(text)} is not one between {YEARS[0]} and {YEARS[-1]}"


def _genres_fault(text: str) -> str:
    genres = split_genres(text)
    if not genres:
        return "there is no genre"
    if len(genres) > MOST_GENRES:
        return f"there are {len(genres)} genres, more than {MOST_GENRES}"
    doubled = len(set(genres)) < len(genres)
    return f"genres {quoted('|'.join(genres))} name one more than once" if doubled else ""


def _sha256_fault(text: str) -> str:
    return "" if _SHA256.fullmatch(text.lower()) else "sha256 is not 64 hexadecimal digits"


def is_imdb_id(text: str) -> bool:
    """Say whether `text` is an identifier of IMDb."""
    return bool(text) and _IMDB.fullmatch(text) is not None


def _imdb_fault(text: str) -> str:
    return "" if not text or is_imdb_id(text) else f"imdb_id {quoted(text)} is not a valid IMDb id"


def _url_fault(text: str) -> str:
    return "" if _URL.fullmatch(text) else f"url {quoted(text)} is not http or https"


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
_CHECKS = {name: column.check for name, column in COLUMNS.items() if column.check}
_EMPTY = dict.fromkeys(COLUMNS, "")
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
    records = read_records(path).records
    refuse_duplicates(path.name, records)
    return [parse_row(record) for record in records]


def read_records(path: Path) -> CsvTable:
    """Read the manifest as text.

    Raise TableError if it is no table, lacks columns, or has one that cannot be kept.
    """
    if not path.exists():
        raise TableError(f"{path.name} is not there yet: `{COMMAND_FOR[MANIFEST]}` makes it")
    table = read_csv(path, REQUIRED, defused=True)
    added_columns(path.name, table.columns)
    return table


def find_record(file: str, table: CsvTable, trailer_id: str) -> Record:
    """Return the row of a trailer in the manifest; raise TableError where there is not one."""
    found = [record for record in table.records if record.values["trailer_id"] == trailer_id]
    if len(found) == 1:
        return found[0]
    if found:
        raise TableError(f"{file} has {len(found)} rows of {quoted(trailer_id)}, not one")
    names = [record.values["trailer_id"] for record in table.records]
    near = get_close_matches(trailer_id[:LENGTH], names, n=1)
    hint = f", did you mean {near[0]!r}?" if near else ": see its column trailer_id"
    raise TableError(f"{file} has no trailer {quoted(trailer_id)}{hint}")


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


def refuse_duplicates(name: str, records: Iterable[Record]) -> None:
    """Raise TableError, which calls the table `name`, if two rows have the same trailer_id."""
    places: dict[str, list[int]] = defaultdict(list)
    for record in records:
        places[record.values["trailer_id"]].append(record.row)
    doubles = [
        f"{quoted(trailer_id)} in rows {listed(map(str, found))}"
        for trailer_id, found in places.items()
        if len(found) > 1
    ]
    if doubles:
        raise TableError(f"{name} has a trailer_id more than once: {listed(doubles, between='; ')}")


def parse_row(record: Record) -> ManifestRow:
    """Return what a record says, with everything that is wrong with it in `faults`."""
    cells = {**_EMPTY, **record.values}
    long = [name for name in COLUMNS if len(cells[name]) > LONGEST_TEXT]
    faults = [
        f"{name} has {len(cells[name])} characters, more than {LONGEST_TEXT}" for name in long
    ]
    cells |= {name: cells[name][:LONGEST_TEXT] for name in long}
    faults += [check(cells[name]) for name, check in _CHECKS.items() if name not in long]
    return ManifestRow(
        row=record.row,
        **{name: column.read(cells[name]) for name, column in COLUMNS.items()},
        added={name: ADDED.read(cells[name]) for name in record.values if name not in COLUMNS},
        faults=tuple(filter(None, [record.fault, *faults])),
    )
