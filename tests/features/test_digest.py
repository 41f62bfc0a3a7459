"""The root digest against a second implementation, written from the text of the card."""

import hashlib
import struct
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmx.features.digest import (
    ShardDigest,
    cells,
    read_shards,
    row_digests,
    shard_digest,
    table_digest,
)


def value_bytes(value: Any, kind: pa.DataType) -> bytes:
    """Step 1 without its first byte."""
    if pa.types.is_nested(kind):
        return struct.pack("<q", len(value)) + b"".join(
            value_bytes(v, kind.value_type) for v in value
        )
    if pa.types.is_string(kind):
        text: bytes = value.encode()
        return struct.pack("<q", len(text)) + text
    if pa.types.is_floating(kind):
        return struct.pack("<f" if kind == pa.float32() else "<d", value)
    return struct.pack("<q", int(value))


def naive_rows(table: pa.Table) -> list[bytes]:
    """Step 2, from Python values."""
    digests = []
    for row in table.to_pylist():
        values = [
            b"\0" if row[field.name] is None else b"\1" + value_bytes(row[field.name], field.type)
            for field in table.schema
        ]
        digests.append(hashlib.sha256(b"".join(values)).digest())
    return digests


def naive_root(store: Path) -> str:
    """Steps 2 to 5, for every table that a folder of Parquet files has."""
    tables: dict[str, list[Path]] = {}
    for path in sorted(store.rglob("*.parquet")):
        name = path.stem if path.parent == store else path.parent.name
        tables.setdefault(name, []).append(path)
    lines = []
    for name, paths in sorted(tables.items()):
        parts = [pq.read_table(path, partitioning=None) for path in paths]
        shards = [hashlib.sha256(b"".join(naive_rows(part))).digest() for part in parts]
        header = ",".join(parts[0].column_names) + "\n"
        digest = hashlib.sha256(header.encode() + b"".join(shards)).hexdigest()
        lines.append(f"{name} {sum(map(len, parts))} {digest}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def example() -> pa.Table:
    """Every type and every kind of null that a store can hold."""
    vectors = pa.array([[1.5, -0.0], [2.0, 3.0], None], pa.list_(pa.float32(), 2))
    return pa.table(
        {
            "text": pa.array(["é", None, ""]),
            "small": pa.array([-1, None, 2**31 - 1], pa.int32()),
            "large": pa.array([-(2**63), 5, None], pa.int64()),
            "real": pa.array([None, 1e300, float("inf")]),
            "flag": pa.array([True, None, False]),
            "vector": vectors,
            "names": pa.array([["a", "bc"], [], None], pa.list_(pa.string())),
            "patches": pa.array(
                [[[1, 2]], [], [[3, 4], [5, 6]]], pa.list_(pa.list_(pa.float32(), 2))
            ),
        }
    )


def test_rows_equal_the_naive_digest() -> None:
    table = example()
    assert row_digests(table.to_batches()[0]) == naive_rows(table)


@pytest.mark.parametrize("start", [0, 1, 2])
def test_a_slice_digests_like_its_rows(start: int) -> None:
    table = example()
    batch = table.slice(start).to_batches()[0]
    assert row_digests(batch) == naive_rows(table)[start:]


def test_null_and_empty_differ() -> None:
    text = pa.record_batch({"text": pa.array(["", None])})
    names = pa.record_batch({"names": pa.array([[], None], pa.list_(pa.string()))})
    for batch in (text, names):
        first, second = row_digests(batch)
        assert first != second


def test_a_boundary_between_columns_counts() -> None:
    left = pa.record_batch({"a": ["ab"], "b": ["c"]})
    right = pa.record_batch({"a": ["a"], "b": ["bc"]})
    assert row_digests(left) != row_digests(right)


def test_unknown_type_is_refused() -> None:
    with pytest.raises(TypeError, match="date32"):
        cells(pa.array([0], pa.date32()))


def test_encoding_of_the_file_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "one.parquet"
    pq.write_table(example(), path)
    before = shard_digest(path)
    pq.write_table(example(), path, compression="snappy", row_group_size=1, version="1.0")
    assert shard_digest(path) == before
    assert before.rows == 3


def test_a_column_name_and_the_order_of_shards_matter() -> None:
    shards = [ShardDigest(1, "00" * 32), ShardDigest(2, "01" * 32)]
    one = table_digest("one", ["a"], shards)
    assert one.rows == 3
    assert table_digest("one", ["b"], shards) != one
    assert table_digest("one", ["a"], shards[::-1]) != one


def test_shards_are_written_down_and_read(built: Path) -> None:
    shards = read_shards((built / "shards.txt").read_text(encoding="utf-8"))
    paths = sorted(built.rglob("*.parquet"))
    assert shards == {path.relative_to(built).as_posix(): shard_digest(path) for path in paths}


def test_root_can_be_recomputed_from_the_files_alone(built: Path) -> None:
    *lines, root = (built / "digest.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    assert root.strip() == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert root.strip() == naive_root(built)
