import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from mmx.engine.canonical import canonical
from mmx.engine.errors import ReceiptError, StoreError
from mmx.engine.parquet import UNREADABLE, count_rows, read_parquet, write_parquet
from mmx.engine.receipt import Receipt
from mmx.engine.rows import encode_rows, read_rows
from mmx.engine.run import Recipe, Task, Workers, complete
from mmx.engine.shards import by_shard, shard_of
from mmx.engine.store import Store
from mmx.outputs import (
    FilesOutput,
    Output,
    TableOutput,
    TreeOutput,
    content_files,
    damaged_rows,
    item_rows,
    read_receipts,
    receipt_files,
    receipts_name,
    stray_rows,
    valid_receipts,
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


def test_shards_are_the_first_six_bits() -> None:
    for name in ("alien", "the-hobbit", "ünïcode"):
        bits = bin(int(hashlib.sha256(name.encode()).hexdigest(), 16))[2:].zfill(256)[:6]
        assert int(shard_of(name), 16) == int(bits, 2)
    names = [f"t{number}" for number in range(1000)]
    assert len(by_shard(names)) == 64
    assert sorted(name for shard in by_shard(names).values() for name in shard) == sorted(names)


def test_a_table_has_every_row_once_sorted_with_its_fingerprint(
    store: Store, make_task: Callable[..., Task], tmp_path: Path
) -> None:
    tasks = [make_task(number) for number in range(9)]
    outcome = complete(Recipe("work:rows"), tasks, store, workers=HERE)
    TABLE.write(tmp_path / "out", outcome.receipts, store)
    seen: dict[str, list[Any]] = {}
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


def test_rows_come_back_out_of_a_shard_bit_for_bit(
    store: Store, make_task: Callable[..., Task], tmp_path: Path
) -> None:
    outcome = complete(Recipe("work:rows"), [make_task(n) for n in range(5)], store, workers=HERE)
    TABLE.write(TABLE.path(tmp_path), outcome.receipts, store)
    for item, receipt in outcome.receipts.items():
        shard = pq.read_table(TABLE.shard_path(tmp_path, item))
        original = store.object(receipt.outputs[0].sha256)
        assert encode_rows(item_rows(shard, item)) == original.read_bytes()
        assert item_rows(shard, item) == read_rows(original)


def test_equal_items_give_equal_directories_whatever_their_order(
    store: Store, make_task: Callable[..., Task], tmp_path: Path
) -> None:
    outcome = complete(Recipe("work:rows"), [make_task(n) for n in range(6)], store, workers=HERE)
    backwards = dict(reversed(outcome.receipts.items()))
    for name, receipts in (("a", outcome.receipts), ("b", backwards)):
        TABLE.write(tmp_path / name, receipts, store)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_files_are_links_and_faults_have_none(
    store: Store, make_task: Callable[..., Task], tmp_path: Path
) -> None:
    recipe = Recipe("work:double", faults=("work:BadInputError",))
    outcome = complete(recipe, [make_task(-1), make_task(2)], store, workers=HERE)
    FilesOutput("out", suffix=".txt").write(tmp_path, outcome.receipts, store)
    assert [path.name for path in tmp_path.glob("*.txt")] == ["item2.txt"]
    sha256 = outcome.receipts["item2"].outputs[0].sha256
    assert (tmp_path / "item2.txt").stat().st_ino == store.object(sha256).stat().st_ino
    assert read_receipts(tmp_path) == outcome.receipts


def test_receipts_that_were_edited_are_refused(
    store: Store, make_task: Callable[..., Task], tmp_path: Path
) -> None:
    outcome = complete(Recipe("work:double"), [make_task(2)], store, workers=HERE)
    write_receipts(tmp_path, outcome.receipts)
    (path,) = receipt_files(tmp_path)
    path.write_text(path.read_text().replace('"double.factor":2', '"double.factor":3'))
    with pytest.raises(ReceiptError):
        read_receipts(tmp_path)


def test_errors_of_damaged_tables_are_in_unreadable(tmp_path: Path) -> None:
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


def test_the_paths_of_outputs(store: Store, make_task: Callable[..., Task], tmp_path: Path) -> None:
    rows, files = made_rows(store, make_task), made_files(store, make_task)
    TABLE.write(tmp_path / "rows", rows, store)
    FilesOutput("", suffix=".txt").write(tmp_path / "files", files, store)
    TreeOutput("").write(tmp_path / "tree", {"all": files["item2"]}, store)
    shard = f"{int(hashlib.sha256(b'item2').hexdigest()[:2], 16) // 4:02x}"
    assert f"c{shard}.parquet" in tree(tmp_path / "rows")
    assert f"_receipts/r{shard}.jsonl" == receipts_name("item2")
    assert (
        receipts_name("item2") in tree(tmp_path / "rows").keys() & tree(tmp_path / "files").keys()
    )
    assert set(content_files(tmp_path / "files")) == {"item2.txt"}
    (output,) = files["item2"].outputs
    assert set(tree(tmp_path / "tree")) == {output.name, receipts_name("all")}


def made_rows(store: Store, make_task: Callable[..., Task]) -> dict[str, Receipt]:
    tasks = [make_task(number) for number in range(9)]
    return complete(Recipe("work:rows"), tasks, store, workers=HERE).receipts


def made_files(store: Store, make_task: Callable[..., Task]) -> dict[str, Receipt]:
    recipe = Recipe("work:double", faults=("work:BadInputError",))
    return complete(recipe, [make_task(-1), make_task(2)], store, workers=HERE).receipts


@pytest.mark.parametrize(
    "output", [TABLE, FilesOutput("out", suffix=".txt")], ids=["table", "files"]
)
def test_every_file_is_covered_by_named_receipts(
    output: Output, store: Store, make_task: Callable[..., Task], tmp_path: Path
) -> None:
    receipts = (made_rows if output.table else made_files)(store, make_task)
    out = output.path(tmp_path)
    output.write(out, receipts, store)
    assert content_files(out).keys() == output.names(receipts)
    for name in content_files(out):
        made = valid_receipts(out / output.receipts_of_file(name))
        assert name in output.names(made)


def test_damaged_rows_and_rows_without_a_receipt(
    store: Store, make_task: Callable[..., Task], tmp_path: Path
) -> None:
    receipts = made_rows(store, make_task)
    TABLE.write(TABLE.path(tmp_path), receipts, store)
    path = TABLE.shard_path(tmp_path, "item2")
    own = TABLE.shared_files(receipts)[path.name]
    assert damaged_rows(path, own) == stray_rows(path, own) == []
    table = pq.read_table(path)
    clip = pc.if_else(pc.equal(table["trailer_id"], "item2"), 99, table["clip"])
    changed = table.set_column(1, "clip", clip.cast(table["clip"].type))
    strange = table.slice(0, 1).set_column(0, "trailer_id", pa.array(["stranger"]))
    write_parquet(pa.concat_tables([changed, strange]), path)
    assert damaged_rows(path, own) == ["item2"]
    assert stray_rows(path, own) == ["stranger"]
    path.write_bytes(b"damage")
    assert damaged_rows(path, own) == list(own) and stray_rows(path, own) == []


def test_a_damaged_line_loses_no_other_receipt(
    store: Store, make_task: Callable[..., Task], tmp_path: Path
) -> None:
    crowded = next(items for items in by_shard(f"item{n}" for n in range(99)).values() if items[1:])
    tasks = [make_task(int(item.removeprefix("item"))) for item in crowded]
    receipts = complete(Recipe("work:double"), tasks, store, workers=HERE).receipts
    write_receipts(tmp_path, receipts)
    (path,) = receipt_files(tmp_path)
    first, *others = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([first[:-9] + b"\n", *others]))
    left = {item: receipts[item] for item in crowded[1:]}
    assert valid_receipts(path) == left
    assert valid_receipts(tmp_path / "nothing") == {}
    with pytest.raises(ReceiptError):
        read_receipts(tmp_path)


@pytest.mark.parametrize("item", ["../escaped", "/etc/passwd", "a/b", "", ".git", "a\n", 7, None])
def test_an_item_that_is_a_path_is_refused(
    item: object, make_task: Callable[..., Task], tmp_path: Path
) -> None:
    receipt = Receipt(make_task(1).ingredients)
    line = canonical({"item": item, "receipt": receipt.to_dict()})
    (tmp_path / "_receipts").mkdir()
    (tmp_path / "_receipts" / "r00.jsonl").write_bytes(line + b"\n")
    with pytest.raises(ReceiptError, match=r"^not a receipt: the name of an item"):
        read_receipts(tmp_path)
    assert valid_receipts(tmp_path / "_receipts" / "r00.jsonl") == {}


def test_receipts_that_are_a_pipe_are_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "_receipts").mkdir()
    os.mkfifo(tmp_path / "_receipts" / "r00.jsonl")
    with pytest.raises(ReceiptError, match=r"^r00\.jsonl does not hold receipts"):
        read_receipts(tmp_path)
    assert valid_receipts(tmp_path / "_receipts" / "r00.jsonl") == {}


def test_a_damaged_object_is_not_written_into_a_table(
    store: Store, make_task: Callable[..., Task], tmp_path: Path
) -> None:
    outcome = complete(Recipe("work:rows"), [make_task(1)], store, workers=HERE)
    (receipt,) = outcome.receipts.values()
    path = store.object(receipt.outputs[0].sha256)
    path.chmod(0o644)
    path.write_bytes(bytes(receipt.outputs[0].size))
    with pytest.raises(StoreError, match=r"an object of the item store is damaged, .*`mmx repair`"):
        TABLE.write(tmp_path / "out", outcome.receipts, store)


def test_a_table_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "c00.parquet")
    with pytest.raises(OSError, match="it is a pipe or a device"):
        read_parquet(tmp_path / "c00.parquet")
    assert count_rows(tmp_path / "c00.parquet") == 0
