"""Output directories: what DVC versions, built from the items of one step.

    <item><suffix>          a step that makes one file per item: hard links into the store
    <letter>XX.parquet      a step that makes rows: 64 shards, XX from the sha256 of the item's name
    _receipts/rXX.jsonl     one line per item, {"item": ..., "receipt": ...}, sorted

Identical items give identical bytes. An item with a fault has a receipt and nothing else.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mmx.items.atomic import atomic_path, link_or_copy, write_atomic
from mmx.items.canonical import canonical
from mmx.items.receipt import Receipt
from mmx.items.rows import read_rows
from mmx.items.store import Store

RECEIPTS = "_receipts"
SHARDS = 64
ITEM, FINGERPRINT = "trailer_id", "fingerprint"


def shard_of(item: str) -> str:
    """Return the item's shard: two hex digits from 00 to 3f, its sha256's first six bits."""
    return f"{hashlib.sha256(item.encode()).digest()[0] >> 2:02x}"


def by_shard(items: Iterable[str]) -> dict[str, list[str]]:
    """Return the sorted items of each shard that has any, in the order of the shards."""
    shards: dict[str, list[str]] = defaultdict(list)
    for item in sorted(items):
        shards[shard_of(item)].append(item)
    return dict(sorted(shards.items()))


def write_receipts(out: Path, receipts: Mapping[str, Receipt]) -> None:
    """Write the receipts of a directory's items below `out`."""
    for shard, items in by_shard(receipts).items():
        lines = [
            canonical({"item": item, "receipt": receipts[item].to_dict()}) + b"\n" for item in items
        ]
        write_atomic(out / RECEIPTS / f"r{shard}.jsonl", b"".join(lines))


def read_receipts(out: Path) -> dict[str, Receipt]:
    """Return the receipts of a directory by item; empty where there are none.

    Raise ReceiptError or ValueError for a file that is not what `write_receipts` writes.
    """
    receipts = {}
    for path in sorted((out / RECEIPTS).glob("r*.jsonl")):
        for line in path.read_bytes().splitlines():
            entry = json.loads(line)
            receipts[entry["item"]] = Receipt.from_dict(entry["receipt"])
    return receipts


def write_table(out: Path, letter: str, receipts: Mapping[str, Receipt], store: Store) -> None:
    """Write the rows of all items as sorted shards, with the item's name and fingerprint added."""
    for shard, items in by_shard(receipts).items():
        tables = [labelled_rows(item, receipts[item], store) for item in items]
        rows = [table for table in tables if table is not None]
        if rows:
            write_parquet(pa.concat_tables(rows), out / f"{letter}{shard}.parquet")


def labelled_rows(item: str, receipt: Receipt, store: Store) -> pa.Table | None:
    """Return an item's rows with `trailer_id` first and `fingerprint` last; None for a fault."""
    if not receipt.outputs:
        return None
    rows = read_rows(store.object(receipt.outputs[0].sha256))
    name = pa.array([item] * len(rows), pa.string())
    fingerprint = pa.array([receipt.fingerprint] * len(rows), pa.string())
    return rows.add_column(0, ITEM, name).append_column(FINGERPRINT, fingerprint)


def item_rows(table: pa.Table, item: str) -> pa.Table:
    """Return an item's rows out of a shard as the item made them: the inverse of labelled_rows."""
    rows = table.filter(pa.compute.equal(table[ITEM], item))
    return rows.drop_columns([ITEM, FINGERPRINT])


UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError)
"""What reading a damaged Parquet file raises: names that are UTF-8 no more are a ValueError."""


def write_parquet(table: pa.Table, path: Path, note: Mapping[str, str] | None = None) -> None:
    """Write a table whose bytes depend on its rows and `note` alone, with fixed settings.

    The table's own metadata are dropped; `note` takes their place in the file.
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


def write_files(out: Path, suffix: str, receipts: Mapping[str, Receipt], store: Store) -> None:
    """Link each item's one file into `out` as `<item><suffix>`; an item may have none."""
    for item, receipt in receipts.items():
        for output in receipt.outputs:
            link_or_copy(store.object(output.sha256), out / f"{item}{suffix}")


def write_tree(out: Path, receipt: Receipt, store: Store) -> None:
    """Link all files of a step's only item into `out` under their own names."""
    for output in receipt.outputs:
        link_or_copy(store.object(output.sha256), out / output.name)
