"""One digest over all rows of a store, whatever encoding their Parquet files have.

Anybody can recompute it from the published files alone:

1. A *value* is the byte 0 where it is null, else the byte 1 and: eight bytes, little-endian, for an
   integer or a boolean; the four or eight little-endian bytes of a float; the length in bytes
   (eight bytes, little-endian) and the UTF-8 text of a string; the number of elements (eight bytes,
   little-endian) and the elements of a list, which carry no byte 1 of their own.
2. A *row* is sha256 over its values in the order of the columns.
3. A *shard* is sha256 over its rows' digests (32 bytes each) in the order of the file. shards.txt
   has one line per Parquet file, sorted: path, number of rows, shard digest in hexadecimal.
4. A *table* is sha256 over its column names, joined by commas and closed by a line feed, and its
   shards' digests (32 bytes each) in the order of their names. A table in one file is one shard.
5. digest.txt has one line per table, sorted by name: name, number of rows, table digest in
   hexadecimal, separated by one space. The *root* is sha256 over these lines, and is the last line:
   `head -n -1 digest.txt | sha256sum` prints it again.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

BATCH_ROWS = 4096

Cells = list[bytes]
"""Canonical bytes of the values of a column."""


@dataclass(frozen=True)
class ShardDigest:
    """The rows of one Parquet file."""

    rows: int
    digest: str
    """Hexadecimal."""


@dataclass(frozen=True)
class TableDigest:
    """One line of digest.txt."""

    name: str
    rows: int
    digest: str
    """Hexadecimal."""

    def __str__(self) -> str:
        """The line without its line feed."""
        return f"{self.name} {self.rows} {self.digest}"


def _size(count: int) -> bytes:
    """A count as eight bytes, little-endian."""
    return int(count).to_bytes(8, "little")


def _fixed(column: pa.Array, dtype: str) -> Cells:
    """Cells of a column of numbers; `dtype` is numpy's name of the canonical form."""
    values = column.fill_null(False if pa.types.is_boolean(column.type) else 0)
    raw = values.to_numpy(zero_copy_only=False).astype(dtype).tobytes()
    step = np.dtype(dtype).itemsize
    return [raw[start : start + step] for start in range(0, len(raw), step)]


def _text(column: pa.Array) -> Cells:
    """Cells of a column of strings; each distinct string is encoded once."""
    values = column.fill_null("").to_pylist()
    encoded = {value: value.encode() for value in set(values)}
    sized = {value: _size(len(content)) + content for value, content in encoded.items()}
    return [sized[value] for value in values]


def _vectors(column: pa.FixedSizeListArray) -> Cells:
    """Cells of a column of float32 vectors of one width: the count and their raw bytes."""
    width = column.type.list_size
    flat = column.values.slice(column.offset * width, len(column) * width)
    raw = np.ascontiguousarray(flat.to_numpy(zero_copy_only=False), "<f4").data.cast("B")
    head, step = _size(width), width * 4
    return [b"".join((head, raw[i * step : (i + 1) * step])) for i in range(len(column))]


def _lists(column: pa.ListArray) -> Cells:
    """Cells of a column of lists: the count and each element."""
    elements = cells(column.values)
    offsets = column.offsets.to_pylist()
    return [
        _size(stop - start) + b"".join(elements[start:stop]) for start, stop in pairwise(offsets)
    ]


def cells(column: pa.Array) -> Cells:
    """Return the canonical bytes of each value of `column`, without the byte for null or not.

    The bytes of nulls are not used. TypeError for a type that no table of the store has.
    """
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return _fixed(column, "<i8")
    if pa.types.is_floating(kind):
        return _fixed(column, f"<f{kind.bit_width // 8}")
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _text(column)
    if pa.types.is_fixed_size_list(kind) and kind.value_type == pa.float32():
        return _vectors(column)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _lists(column)
    raise TypeError(f"no canonical bytes are defined for a column of type {kind}")


def _values(column: pa.Array) -> Cells:
    """Return the canonical bytes of each value of `column`, null or not."""
    nulls = column.is_null().to_pylist()
    pairs = zip(nulls, cells(column), strict=True)
    return [b"\0" if null else b"\1" + cell for null, cell in pairs]


def row_digests(batch: pa.RecordBatch) -> list[bytes]:
    """Return the sha256 of every row of `batch` (32 bytes each)."""
    rows = zip(*map(_values, batch.columns), strict=True)
    return [hashlib.sha256(b"".join(row)).digest() for row in rows]


def shard_digest(path: Path) -> ShardDigest:
    """Digest the rows of a Parquet file, a few thousand of them in memory at a time."""
    state = hashlib.sha256()
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH_ROWS):
            state.update(b"".join(row_digests(batch)))
        return ShardDigest(file.metadata.num_rows, state.hexdigest())


def table_digest(name: str, columns: Sequence[str], shards: Sequence[ShardDigest]) -> TableDigest:
    """Digest a table with these columns and shards, in the order of their names."""
    whole = hashlib.sha256((",".join(columns) + "\n").encode())
    whole.update(b"".join(bytes.fromhex(shard.digest) for shard in shards))
    return TableDigest(name, sum(shard.rows for shard in shards), whole.hexdigest())


def shards_text(shards: Mapping[str, ShardDigest]) -> str:
    """Return the content of shards.txt; by path below the store."""
    return "".join(f"{path} {shards[path].rows} {shards[path].digest}\n" for path in sorted(shards))


def read_shards(text: str) -> dict[str, ShardDigest]:
    """Parse the text of `shards_text`."""
    lines = (line.rsplit(" ", 2) for line in text.splitlines())
    return {path: ShardDigest(int(rows), digest) for path, rows, digest in lines}


def root_digest(digests: Iterable[TableDigest]) -> str:
    """Return the root digest (hexadecimal) over the tables' digests."""
    return hashlib.sha256(_lines(digests).encode()).hexdigest()


def digest_text(digests: Iterable[TableDigest]) -> str:
    """Return the content of digest.txt."""
    digests = list(digests)
    return _lines(digests) + root_digest(digests) + "\n"


def _lines(digests: Iterable[TableDigest]) -> str:
    """One line per table, sorted by name."""
    return "".join(f"{line}\n" for line in sorted(digests, key=lambda digest: digest.name))
