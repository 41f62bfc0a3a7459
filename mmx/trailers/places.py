"""The ledger of the split: every place that was ever given, in data/splits.parquet.

The table has the trailers that are split now. Those that have a place but are absent, because their
row is gone or rejected or they have too few clips, are in the file's metadata, so that what reads
the table sees none of them.
"""

from pathlib import Path

import orjson
import pyarrow as pa

from mmx.engine.parquet import read_parquet, write_parquet
from mmx.trailers.splits import SCHEMA

_ABSENT = "absent"


def read_places(path: Path) -> pa.Table:
    """Return every place that was ever given, of present trailers and of absent ones: SCHEMA."""
    table = read_parquet(path)
    metadata = table.schema.metadata or {}
    rows = [dict(zip(SCHEMA.names, row, strict=True)) for row in _absent(metadata)]
    present = table.select(SCHEMA.names).replace_schema_metadata(None).cast(SCHEMA)
    return pa.concat_tables([present, pa.Table.from_pylist(rows, SCHEMA)])


def _absent(metadata: dict[bytes, bytes]) -> list[list[str]]:
    found: list[list[str]] = orjson.loads(metadata.get(_ABSENT.encode(), b"[]"))
    return found


def write_places(path: Path, split: pa.Table, earlier: pa.Table | None) -> int:
    """Write the split; places of `earlier` that it lacks are kept. Return how many those are."""
    rows = earlier.to_pylist() if earlier else []
    present = set(split["trailer_id"].to_pylist())
    absent = sorted(list(row.values()) for row in rows if row["trailer_id"] not in present)
    write_parquet(split, path, {_ABSENT: orjson.dumps(absent).decode()} if absent else None)
    return len(absent)
