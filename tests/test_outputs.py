import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmx.engine.parquet import UNREADABLE, write_parquet
from mmx.engine.receipt import ReceiptError
from mmx.engine.rows import encode_rows, read_rows
from mmx.engine.run import Recipe, Workers, complete
from mmx.engine.shards import by_shard, shard_of
from mmx.engine.store import Store
from mmx.outputs import (
    FilesOutput,
    TableOutput,
    item_rows,
    read_receipts,
    write_receipts,
)

HERE = Workers(in_process=True)
TABLE = TableOutput("out", letter="c")


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_shards_are_the_first_six_bits():
    for name in ("alien", "the-hobbit", "ünïcode"):
        bits = bin(int(hashlib.sha256(name.encode()).hexdigest(), 16))[2:].zfill(256)[:6]
        assert int(shard_of(name), 16) == int(bits, 2)
    names = [f"t{number}" for number in range(1000)]
    assert len(by_shard(names)) == 64
    assert sorted(name for shard in by_shard(names).values() for name in shard) == sorted(names)


def test_a_table_has_every_row_once_sorted_with_its_fingerprint(
    store: Store, make_task, tmp_path: Path
):
    tasks = [make_task(number) for number in range(9)]
    outcome = complete(Recipe("work:rows"), tasks, store, workers=HERE)
    TABLE.write(tmp_path / "out", outcome.receipts, store)
    seen = {}
    for path in (tmp_path / "out").glob("c*.parquet"):
        table = pq.read_table(path)
        assert table.column_names == [
            "trailer_id",
            "clip",
            "value",
            "patches",
            "score",
            "fingerprint",
        ]
        names = table["trailer_id"].to_pylist()
        assert names == sorted(names) and {shard_of(name) for name in names} <= {path.stem[1:]}
        for row in table.to_pylist():
            seen.setdefault(row["trailer_id"], []).append(row["clip"])
            assert row["fingerprint"] == outcome.receipts[row["trailer_id"]].fingerprint
    assert seen == {f"item{number}": list(range(number)) for number in range(1, 9)}


def test_rows_come_back_out_of_a_shard_bit_for_bit(store: Store, make_task, tmp_path: Path):
    outcome = complete(Recipe("work:rows"), [make_task(n) for n in range(5)], store, workers=HERE)
    TABLE.write(TABLE.path(tmp_path), outcome.receipts, store)
    for item, receipt in outcome.receipts.items():
        shard = pq.read_table(TABLE.shard_path(tmp_path, item))
        original = store.object(receipt.outputs[0].sha256)
        assert encode_rows(item_rows(shard, item)) == original.read_bytes()
        assert item_rows(shard, item) == read_rows(original)


def test_equal_items_give_equal_directories_whatever_their_order(
    store: Store, make_task, tmp_path: Path
):
    outcome = complete(Recipe("work:rows"), [make_task(n) for n in range(6)], store, workers=HERE)
    backwards = dict(reversed(outcome.receipts.items()))
    for name, receipts in (("a", outcome.receipts), ("b", backwards)):
        TABLE.write(tmp_path / name, receipts, store)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_files_are_links_and_faults_have_none(store: Store, make_task, tmp_path: Path):
    recipe = Recipe("work:double", faults=("work:BadInputError",))
    outcome = complete(recipe, [make_task(-1), make_task(2)], store, workers=HERE)
    FilesOutput("out", suffix=".txt").write(tmp_path, outcome.receipts, store)
    assert [path.name for path in tmp_path.glob("*.txt")] == ["item2.txt"]
    sha256 = outcome.receipts["item2"].outputs[0].sha256
    assert (tmp_path / "item2.txt").stat().st_ino == store.object(sha256).stat().st_ino
    assert read_receipts(tmp_path) == outcome.receipts


def test_receipts_that_were_edited_are_refused(store: Store, make_task, tmp_path: Path):
    outcome = complete(Recipe("work:double"), [make_task(2)], store, workers=HERE)
    write_receipts(tmp_path, outcome.receipts)
    (path,) = (tmp_path / "_receipts").iterdir()
    path.write_text(path.read_text().replace('"double.factor":2', '"double.factor":3'))
    with pytest.raises(ReceiptError):
        read_receipts(tmp_path)


def test_whatever_a_damaged_table_raises_is_known(tmp_path: Path):
    path, kinds = tmp_path / "table.parquet", set()
    write_parquet(pa.table({"trailer_id": ["a"], "clip": [1]}), path)
    content = path.read_bytes()
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 0x80
        path.write_bytes(damaged)
        try:
            item_rows(pq.read_table(path), "a")
        except UNREADABLE as error:
            kinds.add(type(error))
    assert {OSError, UnicodeDecodeError, pa.ArrowInvalid} <= kinds
