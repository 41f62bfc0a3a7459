"""Output directories: what DVC versions, built from the items of one step.

    <item><suffix>          a step that makes one file per item: hard links into the store
    <letter>XX.parquet      a step that makes rows: 64 shards, XX from the sha256 of the item's name
    _receipts/rXX.jsonl     one line per item, {"item": ..., "receipt": ...}, sorted

Identical items give identical bytes. An item with a fault has a receipt and nothing else.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from mmx.engine.atomic import atomic_path, link_or_copy, write_atomic
from mmx.engine.canonical import canonical
from mmx.engine.receipt import Receipt
from mmx.engine.rows import read_rows
from mmx.engine.store import Store

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
        write_atomic(out / receipts_name(shard), b"".join(lines))


def receipts_name(shard: str) -> str:
    """Return the name of a shard's receipts below the output directory."""
    return f"{RECEIPTS}/r{shard}.jsonl"


def read_receipts(out: Path, *, believe: bool = False) -> dict[str, Receipt]:
    """Return the receipts of a directory by item; empty where there are none.

    Raise ReceiptError or ValueError for a file that is not what `write_receipts` writes. believe:
    as in `Receipt.from_dict`; for what DVC has just found to be what its stage wrote.
    """
    receipts: dict[str, Receipt] = {}
    for path in sorted((out / RECEIPTS).glob("r*.jsonl")):
        receipts |= read_shard(path, believe=believe)
    return receipts


def read_shard(path: Path, *, believe: bool = False) -> dict[str, Receipt]:
    """Return the receipts of one file of receipts, like `read_receipts`."""
    entries = map(orjson.loads, path.read_bytes().splitlines())
    return {
        entry["item"]: Receipt.from_dict(entry["receipt"], believe=believe) for entry in entries
    }


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
    name, fingerprint = pa.repeat(item, len(rows)), pa.repeat(receipt.fingerprint, len(rows))
    return rows.add_column(0, ITEM, name).append_column(FINGERPRINT, fingerprint)


def item_rows(table: pa.Table, item: str) -> pa.Table:
    """Return an item's rows out of a shard as the item made them: the inverse of labelled_rows."""
    # Imported here: few stages take a shard apart, and every worker would load it.
    import pyarrow.compute as pc

    rows = table.filter(pc.equal(table[ITEM], item))
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


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read one Parquet file, or some columns of it.

    Unlike pyarrow.parquet.read_table it loads neither Arrow's dataset layer nor pandas, which take
    longer than the work of a stage to which one trailer is new.
    """
    with pq.ParquetFile(path) as file:
        return file.read(columns)


def write_files(out: Path, suffix: str, receipts: Mapping[str, Receipt], store: Store) -> None:
    """Link each item's one file into `out` as `<item><suffix>`; an item may have none."""
    for item, receipt in receipts.items():
        for output in receipt.outputs:
            link_or_copy(store.object(output.sha256), out / f"{item}{suffix}")


def write_tree(out: Path, receipt: Receipt, store: Store) -> None:
    """Link all files of a step's only item into `out` under their own names."""
    for output in receipt.outputs:
        link_or_copy(store.object(output.sha256), out / output.name)
