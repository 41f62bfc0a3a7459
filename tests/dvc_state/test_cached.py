"""What DVC's cache has of the last output: shards to keep, items for a store that lost them."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import yaml

from mmx.dvc_state.cached import Earlier, cached_path
from mmx.engine.run import Outcome, Recipe, Spread, complete
from mmx.engine.store import Store
from mmx.outputs import RECEIPTS, by_shard, shard_of, write_files, write_receipts, write_table

HERE = Spread(here=True)
ROWS, FILES = Recipe("work:rows"), Recipe("work:double", faults=("work:BadInputError",))
NUMBERS = range(1, 40)
CROWDED = next(shard for shard, items in by_shard(f"item{n}" for n in NUMBERS).items() if items[1:])
ITEM = next(f"item{n}" for n in NUMBERS if shard_of(f"item{n}") == CROWDED)
"""One whose shard has others."""


def fingerprints(outcome: Outcome) -> dict[str, str]:
    return {item: receipt.fingerprint for item, receipt in outcome.receipts.items()}


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def cache(root: Path, out: Path) -> None:
    """Do what DVC does when it commits an output: keep its files by md5 and note their listing."""
    listing = []
    for name, content in sorted(tree(out).items()):
        listing.append({"md5": hashlib.md5(content).hexdigest(), "relpath": name})
        keep(root, listing[-1]["md5"], content)
    content = json.dumps(listing).encode()
    digest = f"{hashlib.md5(content).hexdigest()}.dir"
    keep(root, digest, content)
    entry = {"path": out.relative_to(root).as_posix(), "md5": digest}
    (root / "dvc.lock").write_text(yaml.safe_dump({"stages": {"step": {"outs": [entry]}}}))


def keep(root: Path, digest: str, content: bytes) -> None:
    path = cached_path(root / ".dvc/cache/files/md5", digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture
def table(tmp_path: Path, store: Store, make_task) -> tuple[Earlier, Outcome]:
    """A committed output directory of rows, and what was made for it."""
    outcome = complete(ROWS, [make_task(number) for number in NUMBERS], store, spread=HERE)
    write_table(tmp_path / "out", "c", outcome.receipts, store)
    write_receipts(tmp_path / "out", outcome.receipts)
    cache(tmp_path, tmp_path / "out")
    return Earlier(tmp_path, "out", "table", "c"), outcome


@pytest.fixture
def files(tmp_path: Path, store: Store, make_task) -> tuple[Earlier, Outcome]:
    """A committed output directory of files, one item of it faulty."""
    tasks = [make_task(number) for number in (-1, *NUMBERS)]
    outcome = complete(FILES, tasks, store, spread=HERE)
    write_files(tmp_path / "out", ".txt", outcome.receipts, store)
    write_receipts(tmp_path / "out", outcome.receipts)
    cache(tmp_path, tmp_path / "out")
    return Earlier(tmp_path, "out", "file", ".txt"), outcome


def test_unchanged_shards_are_kept_and_come_out_as_they_were(table, store: Store, tmp_path: Path):
    earlier, outcome = table
    kept = earlier.unchanged(fingerprints(outcome), store)
    assert kept == outcome.receipts
    earlier.lay_out(by_shard(kept), tmp_path / "again")
    assert tree(tmp_path / "again") == tree(tmp_path / "out")


def test_the_shard_of_an_item_that_changed_is_not_kept(table, store: Store):
    earlier, outcome = table
    wanted = {**fingerprints(outcome), ITEM: "0" * 64}
    kept = earlier.unchanged(wanted, store)
    assert set(kept) == {item for item in wanted if shard_of(item) != CROWDED}


@pytest.mark.parametrize("change", ["added", "removed"])
def test_nor_is_that_of_one_more_or_one_less(table, change: str, store: Store):
    earlier, outcome = table
    wanted = fingerprints(outcome)
    if change == "removed":
        del wanted[ITEM]
    else:
        other = next(n for n in map(str, range(999)) if shard_of(n) == CROWDED)
        wanted[other] = "0" * 64
    kept = earlier.unchanged(wanted, store)
    assert set(kept) == {item for item in wanted if shard_of(item) != CROWDED}


@pytest.mark.parametrize("name", ["c{}.parquet", f"{RECEIPTS}/r{{}}.jsonl"])
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"damage")])
def test_a_damaged_shard_is_not_kept_and_its_items_come_from_the_store(
    table, name: str, damage, store: Store, make_task
):
    earlier, outcome = table
    damage(earlier.files[name.format(CROWDED)])
    kept = earlier.unchanged(fingerprints(outcome), store)
    assert set(kept) == {item for item in outcome.receipts if shard_of(item) != CROWDED}
    tasks = [make_task(number) for number in NUMBERS]
    again = complete(ROWS, tasks, store, earlier=earlier, spread=HERE)
    assert again.computed == [] and again.receipts == outcome.receipts


def test_a_damaged_listing_counts_as_none(table, store: Store, tmp_path: Path):
    earlier, outcome = table
    for path in (tmp_path / ".dvc/cache").rglob("*.dir"):
        path.write_bytes(path.read_bytes().replace(b"out", b"uot") + b" ")
    assert earlier.unchanged(fingerprints(outcome), store) == {}


def test_with_the_store_lost_only_changed_shards_are_taken_apart(table, store: Store, make_task):
    earlier, outcome = table
    shutil.rmtree(store.root)
    tasks = [make_task(number) for number in NUMBERS if f"item{number}" != ITEM]
    again = complete(ROWS, tasks, store, earlier=earlier, spread=HERE)
    assert again.computed == []
    neighbours = {t.item for t in tasks if shard_of(t.item) == CROWDED}
    assert neighbours and neighbours.isdisjoint(again.kept)
    assert {made.fingerprint for made in store.receipts()} == {
        outcome.receipts[item].fingerprint for item in neighbours
    }


def test_files_that_the_store_lost_are_put_back_unless_they_are_others(files, store: Store):
    earlier, outcome = files
    shutil.rmtree(store.root / "objects")
    earlier.files[f"{ITEM}.txt"].write_bytes(b"0")
    kept = earlier.unchanged(fingerprints(outcome), store)
    assert set(kept) == {item for item in outcome.receipts if shard_of(item) != CROWDED}
    assert all(store.holds(output) for receipt in kept.values() for output in receipt.outputs)


def test_a_fault_that_is_to_be_tried_again_is_not_kept(files, store: Store):
    earlier, outcome = files
    assert "item-1" in earlier.unchanged(fingerprints(outcome), store)
    mark = store.retry_mark(outcome.receipts["item-1"].fingerprint)
    mark.parent.mkdir()
    mark.touch()
    assert "item-1" not in earlier.unchanged(fingerprints(outcome), store)


def test_without_dvc_there_is_nothing_earlier(tmp_path: Path, store: Store):
    earlier = Earlier(tmp_path, "out", "table", "c")
    assert earlier.files == {} and earlier.unchanged({"a": "0" * 64}, store) == {}
    assert earlier.recall("0" * 64, store) is None
