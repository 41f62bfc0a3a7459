"""Take trailers into the collection: `init` writes the manifest, `accept` pins a video anew."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from mmx.engine.canonical import file_digest
from mmx.engine.progress import ItemProgress
from mmx.engine.receipt import gc_disabled
from mmx.layout import Layout
from mmx.params import CollectionParams
from mmx.trailers.columns import ADDED, clipped, composed
from mmx.trailers.csvfile import CsvTable, Record, TableError, read_csv
from mmx.trailers.genres import resolve_genres
from mmx.trailers.ids import derive_ids, id_fault
from mmx.trailers.manifest import (
    COLUMNS,
    REQUIRED,
    added_columns,
    find_record,
    parse_row,
    read_records,
    refuse_duplicates,
    write_records,
)
from mmx.trailers.paths import PathFault, check_kind, link, locate, path_fault, video_file
from mmx.trailers.quoting import quoted
from mmx.trailers.tombstones import Refusals

LABELS = ("title", "genres", "video")
"""Columns that a table of labels must have; it may have the manifest's others, and more."""
CORRECTED = ("title", "year", "genres")
"""Columns that `update` takes from the table of labels even where its cell is empty."""
FIXED = ("trailer_id", "video", "sha256")
"""Columns that `update` leaves alone."""
READERS = 4
"""Threads that hash: hashing lets go of the interpreter's lock."""


@dataclass(frozen=True)
class RowReport:
    """What became of one row of the table of labels."""

    row: int
    """Number in a spreadsheet: the header is row 1."""
    trailer_id: str
    """Empty where the row is not in the manifest."""
    title: str
    status: Literal["added", "kept", "updated", "rejected"]
    """`kept`: the manifest has it already, and stays as it is."""
    reason: str = ""
    """Why it is rejected."""
    changes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """By column, what the manifest had and the table has: taken over if the row is updated, or
    rejected in an update; otherwise what an update would take."""


@dataclass(frozen=True)
class InitReport:
    """What became of every row, in the table's order."""

    rows: tuple[RowReport, ...]
    added: tuple[str, ...] = ()
    """Columns that mmx does not know and carries along as text."""

    @property
    def accepted(self) -> tuple[RowReport, ...]:
        """Rows without a fault."""
        return tuple(row for row in self.rows if row.status != "rejected")

    @property
    def differing(self) -> tuple[RowReport, ...]:
        """Rows of which the table says something else than the manifest did."""
        return tuple(row for row in self.rows if row.changes)

    @property
    def rejected(self) -> tuple[RowReport, ...]:
        """Rows with a fault."""
        return tuple(row for row in self.rows if row.status == "rejected")


@dataclass(frozen=True)
class _Entry:
    """A row on its way into the manifest."""

    record: Record
    status: Literal["added", "kept", "updated"] = "added"
    reason: str = ""
    changes: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def video(self) -> str:
        return self.record.values["video"]

    def put(self, **values: str) -> "_Entry":
        """Return the entry with cells replaced."""
        record = self.record
        changed = Record(record.row, {**record.values, **values}, record.fault)
        return replace(self, record=changed)

    def because(self, reason: str) -> "_Entry":
        """Return the entry with a reason why it is rejected."""
        return replace(self, reason=reason)


@gc_disabled()
def init(
    layout: Layout,
    videos: Path,
    labels: Path,
    force: bool = False,
    params: CollectionParams | None = None,
    update: bool = False,
) -> InitReport:
    """Write the manifest from a table of labels and link its videos into data/videos.

    Videos are named relative to the folder `videos`, which is only read; links keep those paths.
    A row whose path cannot be trusted, that is there twice, or whose trailer was taken out of the
    collection, stays out of the manifest; one with another fault is in it, unpinned where its video
    is missing or plainly none, so that the report can name it.
    Rows that the manifest has already, found by their video, keep id, pin and text, and get cells
    of columns that it lacks; with `update` they get the table's title, year and genres, and what
    its other columns say. With `force` the manifest is written anew, but a video that it names
    keeps its id, and so its place in the split. With `params`, genres are checked too.

    Raises:
        PathFault: `videos` is not a folder.
        TableError: the table of labels or the manifest cannot be read, or has a column that cannot
            be kept.
        TombstoneError: what says which trailers were taken out cannot be read.
    """
    if not videos.is_dir():
        raise PathFault(f"{videos} is not a folder: name the one that your videos are in")
    table = read_csv(labels, LABELS)
    added = added_columns(labels.name, table.columns)
    if force:
        table = _with_ids(table, layout.manifest)
    known = CsvTable(REQUIRED, ()) if force else _known(layout.manifest)
    columns = tuple(dict.fromkeys((*known.columns, *added)))
    added_columns(layout.manifest.name, columns)
    refused, entries = _sort_out(table, known, update)
    if force:
        _drop_links(layout.videos, entries)
    entries, returned = _turn_away(layout, _enrol_all(layout, videos, entries))
    _save(layout.manifest, replace(known, columns=columns), entries)
    reports = [*refused, *returned, *(_report(entry, params) for entry in entries)]
    return InitReport(tuple(sorted(reports, key=lambda report: report.row)), added)


def _known(manifest: Path) -> CsvTable:
    if not manifest.exists():
        return CsvTable(REQUIRED, ())
    known = read_records(manifest)
    refuse_duplicates(manifest.name, known.records)
    return known


def _with_ids(table: CsvTable, manifest: Path) -> CsvTable:
    """Return the table with the ids that the manifest, if it can be read, has for its videos."""
    try:
        known = _known(manifest).records
    except TableError:
        return table
    ids = {composed(record.values["video"]): record.values["trailer_id"] for record in known}
    given = {record.values.get("trailer_id", "") for record in table.records}

    def named(record: Record) -> Record:
        earlier = ids.get(composed(record.values["video"]), "")
        mine = record.values.get("trailer_id", "") or ("" if earlier in given else earlier)
        return Record(record.row, {**record.values, "trailer_id": mine}, record.fault)

    return replace(table, records=tuple(map(named, table.records)))


def _sort_out(
    table: CsvTable, known: CsvTable, update: bool
) -> tuple[list[RowReport], list[_Entry]]:
    """Return the rows that stay out, with reasons, and the others with their ids."""
    earlier = {composed(record.values["video"]): record for record in known.records}
    taken = {record.values["trailer_id"] for record in known.records}
    refused: list[RowReport] = []
    entries: dict[str, _Entry] = {}
    for record in table.records:
        video = composed(record.values["video"])
        fault = record.fault or path_fault(video) or _double(entries.get(video))
        given = "" if fault or video in earlier else record.values.get("trailer_id", "")
        fault = fault or _id_fault(given, taken)
        if fault:
            refused.append(_refusal(record, fault))
            continue
        taken |= {given} - {""}
        entries[video] = _entry(record, video, earlier.get(video), update)
    return refused, _named(entries, taken)


def _double(entry: _Entry | None) -> str:
    return f"video {quoted(entry.video)} is in row {entry.record.row} already" if entry else ""


def _id_fault(given: str, taken: Iterable[str]) -> str:
    if given in taken:
        return f"trailer_id {quoted(given)} belongs to another row"
    return id_fault(given) if given else ""


def _refusal(record: Record, fault: str) -> RowReport:
    return RowReport(record.row, "", clipped(record.values["title"]), "rejected", fault)


def _entry(record: Record, video: str, earlier: Record | None, update: bool) -> _Entry:
    cells = {**dict.fromkeys(COLUMNS, ""), **record.values, "video": video, "sha256": ""}
    if not earlier:
        return _Entry(Record(record.row, cells, record.fault))
    changes = changed_cells(record, earlier)
    taken = {name: new for name, (_, new) in changes.items()} if update else {}
    values = {**cells, **earlier.values, **taken}
    status: Literal["updated", "kept"] = "updated" if taken else "kept"
    return _Entry(Record(record.row, values, earlier.fault), status, changes=changes)


def changed_cells(record: Record, earlier: Record) -> dict[str, tuple[str, str]]:
    """Return (what the manifest has, what the table has) by column in which they differ."""
    pairs = {
        name: (earlier.values.get(name, ""), new)
        for name, new in record.values.items()
        if name not in FIXED and (new or name in CORRECTED)
    }
    return {name: pair for name, pair in pairs.items() if _differ(name, *pair)}


def _differ(name: str, old: str, new: str) -> bool:
    """Say whether two cells of a column differ in what they say."""
    read = COLUMNS.get(name, ADDED).read
    return read(old) != read(new) or (old != new and "" in (old, new))


def _named(entries: dict[str, _Entry], taken: set[str]) -> list[_Entry]:
    """Return the entries, those without an id given one."""
    nameless = [video for video, entry in entries.items() if not entry.record.values["trailer_id"]]
    ids = derive_ids(nameless, taken)
    return [
        entry.put(trailer_id=ids[video]) if video in ids else entry
        for video, entry in entries.items()
    ]


def _linked(layout: Layout, videos: Path, entry: _Entry) -> tuple[_Entry, Path | None]:
    """Link the entry's video and return where it is, if it has yet to be hashed.

    Where it cannot be linked, the entry that is returned says why.
    """
    try:
        source = locate(videos, entry.video)
        check_kind(source, entry.video)
        link(source, layout.videos, entry.video)
    except PathFault as fault:
        return entry.because(str(fault)), None
    return entry, None if entry.record.values["sha256"] else source


def _pinned(entry: _Entry, source: Path) -> _Entry:
    """Return the entry with the digest of its video, or with the reason why it has none."""
    try:
        return entry.put(sha256=file_digest(source))
    except OSError as error:
        return entry.because(f"video {quoted(entry.video)} cannot be read: {error.strerror}")


def _enrol_all(layout: Layout, videos: Path, entries: Sequence[_Entry]) -> list[_Entry]:
    """Return the entries in their order, linked and pinned, or with what is wrong with them."""
    linked = [_linked(layout, videos, entry) for entry in entries]
    unread = [(entry, source) for entry, source in linked if source]
    kept = sum(
        entry.status != "added" and not entry.reason for entry, source in linked if not source
    )
    with ItemProgress("init", len(entries)) as progress, ThreadPoolExecutor(READERS) as pool:
        progress.count(reused=kept, failed=len(entries) - len(unread) - kept)
        pinned: dict[str, _Entry] = {}
        for entry in pool.map(_pinned, *zip(*unread, strict=True)) if unread else ():
            pinned[entry.video] = entry
            progress.count(computed=not entry.reason, failed=bool(entry.reason))
    return [pinned.get(entry.video, entry) for entry, _ in linked]


def _turn_away(layout: Layout, entries: Sequence[_Entry]) -> tuple[list[_Entry], list[RowReport]]:
    """Return the entries that may come in, and reports of those that were taken out earlier."""
    refusals = Refusals.of(layout)
    reasons = {entry.video: _why_taken_out(entry, refusals) for entry in entries}
    for entry in entries:
        link = layout.videos / entry.video
        if reasons[entry.video] and entry.status == "added" and link.is_symlink():
            link.unlink()
    kept = [entry for entry in entries if not reasons[entry.video]]
    turned = [(entry, reasons[entry.video]) for entry in entries if reasons[entry.video]]
    return kept, [_refusal(entry.record, reason) for entry, reason in turned]


def _why_taken_out(entry: _Entry, refusals: Refusals) -> str:
    cells = entry.record.values
    addresses = (cells["url"], cells.get("youtube_id", ""))
    known = [cells["sha256"].lower()]
    found = (refusals.reason(cells["trailer_id"], each, known) for each in addresses)
    return next(filter(None, found), "")


def _save(manifest: Path, known: CsvTable, entries: Sequence[_Entry]) -> None:
    """Write known rows in their order, with the pins that they got, then the new ones."""
    rows = {record.values["trailer_id"]: record.values for record in known.records}
    rows |= {entry.record.values["trailer_id"]: entry.record.values for entry in entries}
    write_records(manifest, known.columns, rows.values())


def _drop_links(folder: Path, entries: Sequence[_Entry]) -> None:
    """Remove links that no entry names; files are left alone."""
    named = {folder / entry.video for entry in entries}
    for path in folder.rglob("*"):
        if path.is_symlink() and path not in named:
            path.unlink()


def _report(entry: _Entry, params: CollectionParams | None) -> RowReport:
    row = parse_row(entry.record)
    genres = resolve_genres(row.genres, params).faults if params else ()
    reason = "; ".join([*row.faults, *genres, *filter(None, [entry.reason])])
    status = "rejected" if reason else entry.status
    return RowReport(row.row, row.trailer_id, row.title, status, reason, entry.changes)


def accept(layout: Layout, trailer_id: str) -> str:
    """Pin the bytes that a trailer's video has now, and return their sha256.

    Raises:
        TableError: the manifest cannot be read or has no such trailer.
        PathFault: the video is missing, its path is refused, or it is plainly no video.
    """
    table = read_records(layout.manifest)
    chosen = find_record(layout.manifest.name, table, trailer_id)
    video = chosen.values["video"]
    file = video_file(layout.videos, video)
    check_kind(file, video)
    digest = file_digest(file)
    chosen.values["sha256"] = digest
    write_records(layout.manifest, table.columns, [record.values for record in table.records])
    return digest
