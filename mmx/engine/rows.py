"""The rows of one item: an Arrow stream whose bytes depend only on the rows.

The store keeps these; the shards of an output directory are built from them, and `verify` rebuilds
them from the shards, so the encoding is uncompressed and carries no metadata of its own.
"""

import io
from pathlib import Path

import pyarrow as pa

ROWS = "rows.arrow"


def encode_rows(table: pa.Table) -> bytes:
    """Return the canonical bytes of `table`: unchanged by a round trip through a shard."""
    schema = pa.schema(
        [pa.field(field.name, _parquet_list_type(field.type)) for field in table.schema]
    )
    table = table.cast(schema)
    # Taking every row copies into new buffers: a slice or a filter leaves offsets behind.
    table = table.take(pa.array(range(len(table)), pa.int64())).combine_chunks()
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _parquet_list_type(kind: pa.DataType) -> pa.DataType:
    """Return the same type with every list's child called `element`, as Parquet returns it."""
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(pa.field("element", _parquet_list_type(kind.value_type)), kind.list_size)
    if pa.types.is_list(kind):
        return pa.list_(pa.field("element", _parquet_list_type(kind.value_type)))
    return kind


def write_rows(out: Path, table: pa.Table) -> None:
    """Write `table` as the rows of the item whose working directory is `out`."""
    (out / ROWS).write_bytes(encode_rows(table))


def read_rows(path: Path) -> pa.Table:
    """Read what `write_rows` wrote; `path` is the file itself."""
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_stream(source).read_all()


def decode_rows(content: bytes) -> pa.Table:
    """Return the rows that `encode_rows` encoded."""
    return pa.ipc.open_stream(pa.py_buffer(content)).read_all()
