"""The manifest, data/trailers.csv: the labels of each trailer, checked row by row."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from mmx.params import CollectionParams
from mmx.trailers.csvfile import CsvTable, Record, TableError, read_csv, write_csv
from mmx.trailers.ids import is_trailer_id
from mmx.trailers.paths import path_fault

REQUIRED = ("trailer_id", "title", "year", "genres", "video", "sha256")
OPTIONAL = ("imdb_id", "url", "group_id", "license")
YEARS = range(1880, 2101)


@dataclass(frozen=True)
class ManifestRow:
    """One trailer as the manifest has it."""

    row: int
    """Row number as in a spreadsheet: the header is row 1."""
    trailer_id: str
    title: str
    """In composed form (NFC), on one line."""
    year: int | None
    """None where the cell is not a year."""
    genres: tuple[str, ...]
    """In the manifest's order; the first is the primary one."""
    video: str
    """Path below data/videos."""
    sha256: str
    """Pinned digest of the video; empty where none is pinned."""
    group_id: str
    """The film: trailers that share it stay in one split. The trailer's id where none is given."""
    imdb_id: str = ""
    url: str = ""
    license: str = ""
    faults: tuple[str, ...] = ()
    """What is wrong with the row, except for vocabulary and video."""


def read_manifest(path: Path) -> list[ManifestRow]:
    """Read the manifest, in its order; each row has its faults.

    Raise TableError if it is not a table, lacks columns, or names a trailer_id twice.
    """
    rows = [parse_row(record) for record in read_records(path).records]
    refuse_duplicates(path.name, rows)
    return rows


def read_records(path: Path) -> CsvTable:
    """Read the manifest as text; raise TableError if it is not a table or lacks columns."""
    if not path.exists():
        raise TableError(f"{path.name} is not there yet: `mmx init` makes it")
    return read_csv(path, REQUIRED, defused=True)


def write_records(path: Path, columns: Sequence[str], records: Iterable[dict[str, str]]) -> None:
    """Write the manifest atomically: its own columns, then the others of `columns`."""
    own = [*REQUIRED, *OPTIONAL]
    write_csv(path, [*own, *(column for column in columns if column not in own)], records)


def refuse_duplicates(name: str, rows: Iterable[ManifestRow]) -> None:
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
    """Return a record as a typed row, with everything that is wrong with it in `faults`."""
    values = record.values
    genres = split_genres(values["genres"])
    year = values["year"]
    row = ManifestRow(
        row=record.row,
        trailer_id=values["trailer_id"],
        title=one_line(values["title"]),
        year=int(year) if re.fullmatch(r"[0-9]{4}", year) and int(year) in YEARS else None,
        genres=genres,
        video=unicodedata.normalize("NFC", values["video"]),
        sha256=values["sha256"].lower(),
        group_id=values.get("group_id") or values["trailer_id"],
        imdb_id=values.get("imdb_id", ""),
        url=values.get("url", ""),
        license=values.get("license", ""),
    )
    return ManifestRow(**{**vars(row), "faults": tuple(_faults(record, row))})


def split_genres(text: str) -> tuple[str, ...]:
    """Return the genres of a cell, which are separated by |."""
    return tuple(part.strip() for part in text.split("|") if part.strip())


def one_line(text: str) -> str:
    """Return composed text (NFC) whose runs of white space and control characters are one space."""
    composed = unicodedata.normalize("NFC", text)
    spaced = (" " if unicodedata.category(letter) == "Cc" else letter for letter in composed)
    return " ".join("".join(spaced).split())


def _faults(record: Record, row: ManifestRow) -> list[str]:
    year = f"year {record.values['year']!r} is not a year between {YEARS[0]} and {YEARS[-1]}"
    doubled = len(set(row.genres)) < len(row.genres)
    identifier = f"trailer_id {row.trailer_id!r} is not made of a-z, 0-9, _ and - (at most 64)"
    findings = [
        (bool(record.fault), record.fault),
        (not is_trailer_id(row.trailer_id), identifier),
        (not row.title, "title is empty"),
        (row.year is None, year),
        (not row.genres, "there is no genre"),
        (doubled, f"genres {'|'.join(row.genres)!r} name a genre more than once"),
        (bool(path_fault(row.video)), path_fault(row.video)),
        (not re.fullmatch(r"([0-9a-f]{64})?", row.sha256), "sha256 is not 64 hexadecimal digits"),
        (
            not re.fullmatch(r"(tt[0-9]{7,12})?", row.imdb_id),
            f"imdb_id {row.imdb_id!r} is not a valid IMDb id",
        ),
        (
            not re.fullmatch(r"(https?://\S+)?", row.url),
            f"url {row.url!r} is not an http or https address",
        ),
    ]
    return [words for wrong, words in findings if wrong]


def genre_faults(genres: Sequence[str], params: CollectionParams) -> list[str]:
    """Return what is wrong with a trailer's genres: unknown ones, or too many (`max_labels`)."""
    faults = [_unknown(genre, params.genres) for genre in genres if genre not in params.genres]
    if len(genres) > params.max_labels:
        faults.append(f"there are {len(genres)} genres, more than {params.max_labels}")
    return faults


def _unknown(genre: str, vocabulary: Sequence[str]) -> str:
    lower = {known.lower(): known for known in vocabulary}
    near = get_close_matches(genre.lower(), lower, n=1)
    hint = f" (did you mean {lower[near[0]]!r}?)" if near else ""
    return f"genre {genre!r} is not in the vocabulary{hint}"
