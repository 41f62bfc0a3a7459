"""The last output in DVC's cache: shards to keep, items for a store that lost them."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mmx.dvc_state.cache import Cache
from mmx.dvc_state.cached import CachedOutput
from mmx.engine.run import Outcome, Recipe, Task, Workers, complete
from mmx.engine.shards import by_shard, shard_of
from mmx.engine.store import Store
from mmx.outputs import (
    ALL,
    FilesOutput,
    Output,
    TableOutput,
    TreeOutput,
    read_receipts,
    receipts_name,
)

HERE = Workers(in_process=True)
ROWS, FILES = Recipe("work:rows"), Recipe("work:double", faults=("work:BadInputError",))
NUMBERS = range(1, 40)
CROWDED = next(shard for shard, items in by_shard(f"item{n}" for n in NUMBERS).items() if items[1:])
ITEM = next(f"item{n}" for n in NUMBERS if shard_of(f"item{n}") == CROWDED)
"""An item whose shard has other items too."""
TABLE = TableOutput("out", letter="c")


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
    path = Cache(root / ".dvc/cache/files/md5").path(digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def committed(output: Output, root: Path, outcome: Outcome, store: Store) -> CachedOutput:
    """Write an output directory, and do what DVC does when it commits it."""
    output.write(output.path(root), outcome.receipts, store)
    cache(root, output.path(root))
    return CachedOutput(root, output)


@pytest.fixture
def table(
    tmp_path: Path, store: Store, make_task: Callable[..., Task]
) -> tuple[CachedOutput, Outcome]:
    """A committed output directory of rows, and what was made for it."""
    outcome = complete(ROWS, [make_task(number) for number in NUMBERS], store, workers=HERE)
    return committed(TABLE, tmp_path, outcome, store), outcome


@pytest.fixture
def files(
    tmp_path: Path, store: Store, make_task: Callable[..., Task]
) -> tuple[CachedOutput, Outcome]:
    """A committed output directory of files, one item of it faulty."""
    tasks = [make_task(number) for number in (-1, *NUMBERS)]
    outcome = complete(FILES, tasks, store, workers=HERE)
    return committed(FilesOutput("out", suffix=".txt"), tmp_path, outcome, store), outcome


def test_unchanged_shards_are_kept_and_come_out_as_they_were(
    table: tuple[CachedOutput, Outcome], store: Store, tmp_path: Path
) -> None:
    cached, outcome = table
    kept = cached.unchanged(fingerprints(outcome), store)
    assert kept == outcome.receipts
    cached.lay_out(kept, tmp_path / "again")
    assert tree(tmp_path / "again") == tree(tmp_path / "out")


def test_the_shard_of_an_item_that_changed_is_not_kept(
    table: tuple[CachedOutput, Outcome], store: Store
) -> None:
    cached, outcome = table
    wanted = {**fingerprints(outcome), ITEM: "0" * 64}
    kept = cached.unchanged(wanted, store)
    assert set(kept) == {item for item in wanted if shard_of(item) != CROWDED}


@pytest.mark.parametrize("change", ["added", "removed"])
def test_a_shard_with_an_item_added_or_removed_is_not_kept(
    table: tuple[CachedOutput, Outcome], change: str, store: Store
) -> None:
    cached, outcome = table
    wanted = fingerprints(outcome)
    if change == "removed":
        del wanted[ITEM]
    else:
        other = next(n for n in map(str, range(999)) if shard_of(n) == CROWDED)
        wanted[other] = "0" * 64
    kept = cached.unchanged(wanted, store)
    assert set(kept) == {item for item in wanted if shard_of(item) != CROWDED}


@pytest.mark.parametrize("name", [TABLE.shard_name(CROWDED), receipts_name(ITEM)])
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"damage")])
def test_a_damaged_shard_is_not_kept_and_its_items_come_from_the_store(
    table: tuple[CachedOutput, Outcome],
    name: str,
    damage: Callable[..., Any],
    store: Store,
    make_task: Callable[..., Task],
) -> None:
    cached, outcome = table
    damage(cached.files.paths[name])
    kept = cached.unchanged(fingerprints(outcome), store)
    assert set(kept) == {item for item in outcome.receipts if shard_of(item) != CROWDED}
    tasks = [make_task(number) for number in NUMBERS]
    again = complete(ROWS, tasks, store, cached=cached, workers=HERE)
    assert again.computed == [] and again.receipts == outcome.receipts


def test_a_damaged_listing_counts_as_none(
    table: tuple[CachedOutput, Outcome], store: Store, tmp_path: Path
) -> None:
    cached, outcome = table
    for path in (tmp_path / ".dvc/cache").rglob("*.dir"):
        path.write_bytes(path.read_bytes().replace(b"out", b"uot") + b" ")
    assert cached.unchanged(fingerprints(outcome), store) == {}


def test_with_the_store_lost_only_changed_shards_are_read(
    table: tuple[CachedOutput, Outcome], store: Store, make_task: Callable[..., Task]
) -> None:
    cached, outcome = table
    shutil.rmtree(store.root)
    tasks = [make_task(number) for number in NUMBERS if f"item{number}" != ITEM]
    again = complete(ROWS, tasks, store, cached=cached, workers=HERE)
    assert again.computed == []
    neighbours = {t.item for t in tasks if shard_of(t.item) == CROWDED}
    assert neighbours and neighbours.isdisjoint(again.kept)
    assert {made.fingerprint for made in store.receipts()} == {
        outcome.receipts[item].fingerprint for item in neighbours
    }


def test_files_that_the_store_lost_are_restored_unless_they_changed(
    files: tuple[CachedOutput, Outcome], store: Store
) -> None:
    cached, outcome = files
    shutil.rmtree(store.root / "objects")
    cached.files.paths[f"{ITEM}.txt"].write_bytes(b"0")
    kept = cached.unchanged(fingerprints(outcome), store)
    assert set(kept) == {item for item in outcome.receipts if shard_of(item) != CROWDED}
    assert all(store.holds(output) for receipt in kept.values() for output in receipt.outputs)


def test_a_fault_that_is_to_be_tried_again_is_not_kept(
    files: tuple[CachedOutput, Outcome], store: Store
) -> None:
    cached, outcome = files
    assert "item-1" in cached.unchanged(fingerprints(outcome), store)
    mark = store.retry_mark(outcome.receipts["item-1"].fingerprint)
    mark.parent.mkdir()
    mark.touch()
    assert "item-1" not in cached.unchanged(fingerprints(outcome), store)


def test_without_dvc_nothing_is_cached(tmp_path: Path, store: Store) -> None:
    cached = CachedOutput(tmp_path, TABLE)
    assert cached.files.paths == {} and cached.unchanged({"a": "0" * 64}, store) == {}
    assert cached.recall("0" * 64, store) is None


def test_the_files_of_the_only_item_are_kept_and_come_back(
    tmp_path: Path, store: Store, make_task: Callable[..., Task]
) -> None:
    outcome = complete(FILES, [replace(make_task(2), item=ALL)], store, workers=HERE)
    cached = committed(TreeOutput("out"), tmp_path, outcome, store)
    shutil.rmtree(store.root)
    kept = cached.unchanged(fingerprints(outcome), store)
    assert kept == outcome.receipts
    cached.lay_out(kept, tmp_path / "again")
    cached.output.write(tmp_path / "again", outcome.receipts, store, kept)
    assert tree(tmp_path / "again") == tree(tmp_path / "out")


@pytest.fixture
def many_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a directory of a few items have as many shards as one of thousands."""
    monkeypatch.setattr("mmx.engine.shards.CROWDED", 0.2)


def test_a_directory_of_more_shards_is_kept_too(
    many_shards: None, table: tuple[CachedOutput, Outcome], store: Store, tmp_path: Path
) -> None:
    cached, outcome = table
    ends = {name.partition("-")[2] for name in tree(tmp_path / "out")}
    assert ends == {"256.jsonl", "256.parquet"}
    kept = cached.unchanged(fingerprints(outcome), store)
    assert kept == outcome.receipts
    cached.lay_out(kept, tmp_path / "again")
    assert tree(tmp_path / "again") == tree(tmp_path / "out")


def test_a_directory_that_outgrows_its_shards_is_written_anew_from_what_it_has(
    table: tuple[CachedOutput, Outcome],
    store: Store,
    tmp_path: Path,
    make_task: Callable[..., Task],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cached, outcome = table
    monkeypatch.setattr("mmx.engine.shards.CROWDED", 0.2)
    shutil.rmtree(store.root)
    again = complete(ROWS, [make_task(n) for n in NUMBERS], store, cached=cached, workers=HERE)
    assert (again.kept, again.computed) == ({}, [])
    TABLE.write(tmp_path / "again", again.receipts, store)
    assert read_receipts(tmp_path / "again") == outcome.receipts
    assert len(list((tmp_path / "again").glob("c*-256.parquet"))) > 10
