"""One file without the trailers: its other rows as they were, or nothing where it has none.

| file | what becomes of it |
|---|---|
| one of their own, by its sha256 | removed |
| a table or CSV with a column trailer_id | without their rows; a table without rows is removed |
| the feature store's receipts.parquet | without them; a row that only they have is removed |
| a file of receipts | without their lines |
| a picture or a page of a report, which may show them | removed: the next run draws it again |
| anything else with one of their ids in it | removed |
"""

import base64
import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mmx.engine.canonical import file_digest
from mmx.engine.parquet import UNREADABLE, read_parquet, write_parquet
from mmx.forget.traces import PARQUET, RECEIPT_LINE, Traces
from mmx.outputs import ITEM

PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"<!doctype html", b"<!DOCTYPE html")
"""How files of a report begin that show trailers."""
OWNERS = "trailers"
"""Column of receipts.parquet: the trailers that an item belongs to."""
NEAR = "_near"
"""End of the names of columns that hold numbers of rows of the same table."""
LARGEST = 1 << 28
"""Bytes up to which a file is searched for ids; larger ones are results of single items."""


def clean(path: Path, traces: Traces, out: Path) -> bool | None:
    """Write the file at `path` without the trailers to `out`, if that differs.

    Return True where it was written, False where the file has nothing of them, None where nothing
    of the file may stay.
    """
    if file_digest(path) in traces.digests:
        return None
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(PICTURES):
        return None
    if head.startswith(PARQUET):
        return _clean_table(path, traces, out)
    if path.stat().st_size > LARGEST:
        return False
    return _clean_bytes(path.read_bytes(), traces, out)


def _clean_bytes(content: bytes, traces: Traces, out: Path) -> bool | None:
    """Clean a file that is no table of Parquet."""
    if not traces.pattern.search(content):
        return False
    rest = _without_receipts(content, traces) or _without_rows(content, traces)
    if rest is None:
        return None
    out.write_bytes(rest)
    return True


def _without_receipts(content: bytes, traces: Traces) -> bytes | None:
    """Return a file of receipts without theirs; None where it is none, or nothing is left."""
    if not content.startswith(RECEIPT_LINE):
        return None
    lines = content.splitlines(keepends=True)
    kept = [line for line in lines if orjson.loads(line)["item"] not in traces.ids]
    return b"".join(kept) or None


def _without_rows(content: bytes, traces: Traces) -> bytes | None:
    """Return a CSV file without the rows of which a cell is one of the ids.

    None where it is no CSV file with a column trailer_id, or where no row is left.
    """
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error):
        return None
    if not rows or ITEM not in rows[0]:
        return None
    text = io.StringIO(newline="")
    kept = [row for row in rows if traces.ids.isdisjoint(row)]
    csv.writer(text, lineterminator="\n").writerows(kept)
    rest = text.getvalue().encode()
    return None if traces.pattern.search(rest) else rest


def _clean_table(path: Path, traces: Traces, out: Path) -> bool | None:
    """Clean a table; one that cannot be read, or has an id elsewhere, may not stay."""
    try:
        names = pq.read_schema(path).names
        parts: Callable[[pa.Table, Traces], pa.Table] | None = None
        if ITEM in names:
            parts = _without_trailers
        elif {OWNERS, "fingerprint"} <= set(names):
            parts = _without_owners
        if parts is None:
            return None if traces.pattern.search(path.read_bytes()) else False
        return _write(_as_written(path), parts, traces, out)
    except UNREADABLE:
        return None


def _as_written(path: Path) -> pa.Table:
    """Return a table with the names of the elements of lists that it was written with.

    Parquet has names of its own for them, and readers give those.
    """
    table = read_parquet(path)
    stored = pq.read_metadata(path).metadata.get(b"ARROW:schema")
    if not stored:
        return table
    schema = pa.ipc.read_schema(pa.BufferReader(base64.b64decode(stored)))
    return table.cast(schema.with_metadata(table.schema.metadata))


def _write(
    table: pa.Table, parts: Callable[[pa.Table, Traces], pa.Table], traces: Traces, out: Path
) -> bool | None:
    rest = parts(table, traces)
    written = table.schema.metadata or {}
    notes = {key: left for key, value in written.items() if (left := _note(value, traces))}
    if rest is table and notes == written:
        return False
    if not len(rest):
        return None
    texts = {key.decode(): value.decode() for key, value in notes.items()}
    write_parquet(rest, out, texts or None)
    return True


def _note(value: bytes, traces: Traces) -> bytes:
    """Return a note of a file without their rows."""
    rows = noted_rows(value)
    kept = [row for row in rows if row[0] not in traces.ids]
    if len(kept) == len(rows):
        return value
    return orjson.dumps(kept) if kept else b""


def noted_rows(value: bytes) -> list[list[Any]]:
    """Return the rows of a note in a Parquet file, as the split has one of absent trailers.

    A row begins with a trailer_id. Other notes have none.
    """
    try:
        rows = orjson.loads(value)
    except ValueError:
        return []
    is_table = isinstance(rows, list) and all(isinstance(row, list) and row for row in rows)
    return rows if is_table else []


def _without_trailers(table: pa.Table, traces: Traces) -> pa.Table:
    """Return a table without their rows: itself where there are none."""
    keep = pc.invert(pc.is_in(table[ITEM], pa.array(sorted(traces.ids))))
    if pc.all(keep).as_py() in (True, None):
        return table
    return _per_trailer(_renumbered(table, keep.to_pylist()).filter(keep))


def _per_trailer(table: pa.Table) -> pa.Table:
    """Return the table in the chunks in which steps write theirs, so that bytes are equal.

    That is one for each item; or one, where a table has one row for each trailer.
    """
    names = table[ITEM].to_pylist()
    if len(set(names)) == len(names):
        return table.combine_chunks()
    starts = [n for n, name in enumerate(names) if not n or name != names[n - 1]]
    ends = [*starts[1:], len(names)]
    slices = [table.slice(a, b - a).combine_chunks() for a, b in zip(starts, ends, strict=True)]
    return pa.concat_tables(slices) if slices else table


def _renumbered(table: pa.Table, keep: list[bool]) -> pa.Table:
    """Return the table with the numbers of rows in it as they are once the others are gone."""
    new = {old: number for number, old in enumerate(n for n, kept in enumerate(keep) if kept)}
    for name in [each for each in table.column_names if each.endswith(NEAR)]:
        scores = name.removesuffix(NEAR) + "_similarity"
        near, near_scores = table[name].to_pylist(), table[scores].to_pylist()
        pairs = [
            [(new[at], score) for at, score in zip(*both, strict=True) if at in new]
            for both in zip(near, near_scores, strict=True)
        ]
        for column, part in ((name, 0), (scores, 1)):
            values = pa.array([[pair[part] for pair in row] for row in pairs], table[column].type)
            table = table.set_column(table.column_names.index(column), column, values)
    return table


def _without_owners(table: pa.Table, traces: Traces) -> pa.Table:
    """Return receipts.parquet without them: itself where no row names them."""
    owners = table[OWNERS].to_pylist()
    rest = [[name for name in names if name not in traces.ids] for names in owners]
    if rest == owners:
        return table
    column = table.column_names.index(OWNERS)
    changed = table.set_column(
        column, table.schema.field(OWNERS), pa.array(rest, table[OWNERS].type)
    )
    return changed.filter(pa.array([bool(names) for names in rest])).combine_chunks()
