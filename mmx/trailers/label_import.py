"""Take titles, years and genres from a dump into the manifest; ids, videos and pins stay."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

from mmx.engine.canonical import data_digest, file_digest
from mmx.layout import Layout
from mmx.params import CollectionParams
from mmx.trailers.csvfile import Record
from mmx.trailers.enrol import changed_cells
from mmx.trailers.genres import resolve_genres, split_genres
from mmx.trailers.label_dumps import DumpError, FilmLabels, Kind, dump_files, read_dump
from mmx.trailers.label_sources import LabelSource, record_source
from mmx.trailers.manifest import (
    COLUMNS,
    is_imdb_id,
    read_records,
    refuse_duplicates,
    write_records,
)

Label = Literal["title", "year", "genres"]


@dataclass(frozen=True)
class LabelChange:
    """What a dump says of a trailer in place of what the manifest had."""

    trailer_id: str
    imdb_id: str
    changes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Before and after, by column."""
    reasons: tuple[str, ...] = ()
    """Why some of what the dump says is not taken."""


@dataclass(frozen=True)
class ImportReport:
    """The result of an import."""

    source: LabelSource
    trailers: tuple[LabelChange, ...]
    """Those that change or of which something is not taken, in the manifest's order."""
    without_id: int
    """Rows of the manifest without an imdb_id."""
    unknown: int
    """Rows whose imdb_id the dump does not name."""

    @property
    def changed(self) -> tuple[LabelChange, ...]:
        """Trailers of which a cell changes."""
        return tuple(each for each in self.trailers if each.changes)


def import_labels(
    layout: Layout,
    params: CollectionParams,
    source: tuple[Kind, Path],
    day: date,
    expires: date | None = None,
    take: Collection[Label] = ("title", "year", "genres"),
    dry_run: bool = False,
) -> ImportReport:
    """Correct the manifest by a dump, matched by imdb_id, and record the dump.

    Genres are named as in the vocabulary; where a trailer has the same ones already, their order
    stays. Where the policy rejects one, the genres stay as they are. Of what the dump does not say,
    the manifest's cells stay.

    Raises:
        DumpError: the dump cannot be read, or may not be used any more.
        TableError: the manifest, or the record of sources, cannot be read.
    """
    if expires and expires <= date.today():
        raise DumpError(f"this dump has expired on {expires}: import a newer one")
    table = read_records(layout.manifest)
    refuse_duplicates(layout.manifest.name, table.records)
    ids = [record.values.get("imdb_id", "") for record in table.records]
    films = read_dump(*source, frozenset(filter(is_imdb_id, ids)))
    known = [(record, films[imdb_id]) for record, imdb_id in zip(table.records, ids, strict=True)
             if imdb_id in films]  # fmt: skip
    found = [_change(record, film, params, take) for record, film in known]
    made = LabelSource(source[0], f"{day}", _digest(*source), f"{expires or ''}", f"{len(known)}")
    if not dry_run:
        for (record, _), change in zip(known, found, strict=True):
            record.values.update({name: new for name, (_, new) in change.changes.items()})
        if any(change.changes for change in found):
            write_records(layout.manifest, table.columns, [each.values for each in table.records])
        record_source(layout, made)
    said = tuple(change for change in found if change.changes or change.reasons)
    return ImportReport(made, said, ids.count(""), len(ids) - ids.count("") - len(known))


def _digest(kind: Kind, path: Path) -> str:
    digests = [file_digest(each) for each in dump_files(kind, path)]
    return digests[0] if len(digests) == 1 else data_digest(digests)


def _change(
    record: Record, film: FilmLabels, params: CollectionParams, take: Collection[Label]
) -> LabelChange:
    genres = resolve_genres(tuple(dict.fromkeys(film.genres)), params)
    words = {"title": film.title, "year": film.year}
    words["genres"] = "" if genres.faults else _in_order(record, genres.known, params)
    faults = {name: _fault(name, word) for name, word in words.items() if word and name in take}
    sound = {name: words[name] for name, fault in faults.items() if not fault}
    reasons = [*filter(None, faults.values())]
    reasons += genres.faults if "genres" in take and film.genres else ()
    changes = changed_cells(Record(record.row, sound), record)
    values = record.values
    return LabelChange(values["trailer_id"], film.imdb_id, changes, tuple(reasons))


def _fault(name: str, word: str) -> str:
    check = COLUMNS[name].check
    return check(word) if check else ""


def _in_order(record: Record, genres: tuple[str, ...], params: CollectionParams) -> str:
    """Return the cell of these genres, or the manifest's where it has the same ones."""
    cell = record.values["genres"]
    same = set(resolve_genres(split_genres(cell), params).known) == set(genres)
    return cell if same else "|".join(genres)
