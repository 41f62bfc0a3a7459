"""Merge data/trailers.csv: the union of the rows, by trailer_id."""

from pathlib import Path

from mmx.merge.rows import merge_rows, rows_by
from mmx.trailers.csvfile import CsvTable, read_csv, write_csv

KEY = "trailer_id"


def merge_manifest(base: Path, ours: Path, theirs: Path) -> tuple[str, ...]:
    """Write the merged manifest to `ours`; return its conflicts.

    Columns are those of both sides. Raise TableError for a version that is not a table.
    """
    tables = [_read(path) for path in (base, ours, theirs)]
    versions = [rows_by(KEY, [record.values for record in table.records]) for table in tables]
    merged = merge_rows(versions[0], versions[1], versions[2], empty="")
    columns = list(dict.fromkeys(column for table in tables[1:] for column in table.columns))
    write_csv(ours, columns, merged.rows.values())
    return merged.conflicts


def _read(path: Path) -> CsvTable:
    """Read a version; without rows where the file was not there: git gives an empty one."""
    if not path.exists() or not path.stat().st_size:
        return CsvTable((), ())
    return read_csv(path, (KEY,), defused=True)
