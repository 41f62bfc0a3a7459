"""Parquet files whose bytes depend only on their rows."""

import errno
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mmx.engine.atomic import atomic_path

UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError)
"""What reading a damaged Parquet file raises: names that are not valid UTF-8 are a ValueError."""


def write_parquet(table: pa.Table, path: Path, note: Mapping[str, str] | None = None) -> None:
    """Write a table whose bytes depend on its rows and `note` alone, with fixed settings.

    The table's own metadata are dropped; the file has `note` instead.
    """
    with atomic_path(path) as temporary:
        pq.write_table(
            table.replace_schema_metadata(note),
            temporary,
            compression="zstd",
            compression_level=3,
            version="2.6",
            row_group_size=4096,
            # Without the Arrow schema a reader loses the width of the vectors.
            store_schema=True,
            write_page_index=False,
        )


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
