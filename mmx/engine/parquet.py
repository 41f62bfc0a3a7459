"""Parquet files whose bytes depend only on their rows."""

import errno
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mmx.engine.atomic import atomic_path

GROUP_ROWS = 4096
SETTINGS: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 3,
    "version": "2.6",
    # Without the Arrow schema a reader loses the width of the vectors.
    "store_schema": True,
    "write_page_index": False,
}
UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError)
"""What reading a damaged Parquet file raises: names that are not valid UTF-8 are a ValueError."""


def write_parquet(table: pa.Table, path: Path, note: Mapping[str, str] | None = None) -> None:
    """Write a table whose bytes depend on its rows and `note` alone, with fixed settings.

    The table's own metadata are dropped; the file has `note` instead.
    """
    with atomic_path(path) as temporary:
        table = table.replace_schema_metadata(note)
        pq.write_table(table, temporary, row_group_size=GROUP_ROWS, **SETTINGS)


def write_parts(tables: Iterable[pa.Table], schema: pa.Schema, path: Path) -> None:
    """Write the rows of several tables as `write_parquet` does, with little of them in memory."""
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema, **SETTINGS) as file:
        rest, written = schema.empty_table(), 0
        for table in tables:
            rest = pa.concat_tables([rest, table.replace_schema_metadata()])
            whole = len(rest) - len(rest) % GROUP_ROWS
            if whole:
                file.write_table(rest.slice(0, whole).combine_chunks(), GROUP_ROWS)
            written += whole
            rest = rest.slice(whole).combine_chunks()
        if len(rest) or not written:
            file.write_table(rest, GROUP_ROWS)


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read one Parquet file, or some columns of it.

    Unlike pyarrow.parquet.read_table it loads neither Arrow's dataset layer nor pandas, which take
    longer to load than a stage with one new trailer takes.
    """
    refuse_pipe(path)
    with pq.ParquetFile(path) as file:
        return file.read(columns)


def refuse_pipe(path: Path) -> None:
    """Raise OSError for a pipe or a device, which PyArrow would wait for."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", str(path))


def count_rows(path: Path) -> int:
    """Return the number of rows of a Parquet file; 0 where it cannot be read."""
    try:
        refuse_pipe(path)
        rows: int = pq.read_metadata(path).num_rows
    except UNREADABLE:
        return 0
    return rows
