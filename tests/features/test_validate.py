"""A store is built up file by file, then taken apart one thing at a time."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmx.engine.parquet import write_parquet
from mmx.features.describe import describe
from mmx.features.validate import Finding, validate


@pytest.fixture
def store(built: Path, tmp_path: Path) -> Path:
    """A copy of the store that a test may damage."""
    return Path(shutil.copytree(built, tmp_path / "features"))


def shard(store: Path, table: str, trailer: str) -> Path:
    """The shard of `table` that has rows of `trailer`."""
    for path in sorted((store / table).iterdir()):
        if trailer in pq.read_table(path, columns=["trailer_id"])["trailer_id"].to_pylist():
            return path
    raise LookupError(trailer)


def edit(path: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]] | None]) -> None:
    """Rewrite a Parquet file with its rows changed."""
    table = pq.read_table(path)
    rows = table.to_pylist()
    write_parquet(pa.Table.from_pylist(change(rows) or rows, table.schema), path)


def set_value(name: str, value: object, row: int = 0) -> Callable[[list[dict[str, Any]]], None]:
    """A change of one cell."""
    return lambda rows: rows[row].__setitem__(name, value)


def findings(store: Path) -> set[tuple[str, str]]:
    """File and subject of every finding, after updating the descriptions."""
    describe(store)
    return {(finding.file, finding.what) for finding in validate(store)}


def test_a_built_store_is_valid(built: Path) -> None:
    assert validate(built) == []


def test_a_store_is_valid_only_with_its_last_file(built: Path, tmp_path: Path) -> None:
    growing = tmp_path / "growing"
    growing.mkdir()
    for path in sorted(path for path in built.rglob("*") if path.is_file()):
        assert validate(growing), f"valid already without {path.name}"
        target = growing / path.relative_to(built)
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, target)
    assert validate(growing) == []


def test_no_file_can_be_taken_away(store: Path) -> None:
    for path in sorted(path for path in store.rglob("*") if path.is_file()):
        content = path.read_bytes()
        path.unlink()
        assert validate(store), f"still valid without {path.name}"
        path.write_bytes(content)
    assert validate(store) == []


def test_no_byte_of_a_table_can_change(store: Path) -> None:
    rng = np.random.default_rng(0)
    for path in sorted(store.rglob("*.parquet")):
        content = path.read_bytes()
        spoilt = bytearray(content)
        spoilt[rng.integers(len(spoilt))] ^= 1 << int(rng.integers(8))
        path.unlink()
        path.write_bytes(spoilt)
        assert validate(store), f"still valid with a flipped bit in {path.name}"
        path.write_bytes(content)
    assert validate(store) == []


def test_a_missing_file_is_named(store: Path) -> None:
    (store / "receipts.parquet").unlink()
    assert validate(store) == [Finding("receipts.parquet", "file", "present", "missing")]


def test_a_truncated_file_is_named(store: Path) -> None:
    path = shard(store, "clips", "clue")
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-9])
    name = f"clips/{path.name}"
    assert [(f.file, f.what) for f in validate(store)] == [(name, "sha256"), (name, "Parquet")]


def test_a_file_that_never_was_parquet(store: Path) -> None:
    (store / "trailers/t00.parquet").write_bytes(b"hello")
    digest = hashlib.sha256(b"hello").hexdigest()
    with (store / "manifest.sha256").open("a") as manifest:
        manifest.write(f"{digest}  trailers/t00.parquet\n")
    found = [(f.file, f.what, f.found) for f in validate(store)]
    assert found == [("trailers/t00.parquet", "Parquet", "ArrowInvalid")]


def test_a_stray_file_is_named(store: Path) -> None:
    (store / "picture" / "notes.txt").write_text("hello")
    assert [finding.file for finding in validate(store)] == ["picture/notes.txt"]


def test_a_folder_of_an_expert_that_is_not_listed(store: Path) -> None:
    shutil.copytree(store / "picture", store / "old")
    names = {f"old/{path.name}" for path in (store / "old").iterdir()}
    assert {finding.file for finding in validate(store)} == names
    with (store / "manifest.sha256").open("a") as manifest:
        for name in sorted(names):
            digest = hashlib.sha256((store / name).read_bytes()).hexdigest()
            manifest.write(f"{digest}  {name}\n")
    found = {(finding.file, finding.found) for finding in validate(store)}
    assert found == {(name, "a file that no table has") for name in names}


def test_a_missing_column(store: Path) -> None:
    path = shard(store, "clips", "clue")
    write_parquet(pq.read_table(path).drop_columns(["cut_score"]), path)
    what = {what for file, what in findings(store) if file == f"clips/{path.name}"}
    assert what == {"column", "columns"}


def test_vectors_of_another_width(store: Path) -> None:
    path = shard(store, "picture", "clue")
    table = pq.read_table(path)
    vectors = pa.array([[0.0] * 5] * len(table), pa.list_(pa.float32(), 5))
    write_parquet(table.set_column(2, "embedding", vectors), path)
    assert findings(store) == {(f"picture/{path.name}", "embedding")}


def test_a_row_in_the_wrong_shard(store: Path) -> None:
    path = shard(store, "trailers", "clue")
    path.rename(path.with_name("t3f.parquet"))
    assert findings(store) == {("trailers/t3f.parquet", "shard")}


def test_rows_in_another_order(store: Path) -> None:
    path = shard(store, "clips", "clue")
    edit(path, lambda rows: rows[::-1])
    assert findings(store) == {(f"clips/{path.name}", "rows")}


def test_a_row_that_is_there_twice(store: Path) -> None:
    path = shard(store, "picture", "clue")
    edit(path, lambda rows: [rows[0], *rows])
    edit(store / "experts.parquet", set_value("rows", 12))
    assert findings(store) == {(f"picture/{path.name}", "rows")}


def test_an_empty_shard(store: Path) -> None:
    write_parquet(pq.read_table(shard(store, "sound", "clue"))[:0], store / "sound/e00.parquet")
    assert findings(store) == {("sound/e00.parquet", "rows")}


def test_a_fingerprint_of_nothing(store: Path) -> None:
    path = shard(store, "sound", "clue")
    edit(path, set_value("fingerprint", "0" * 64))
    assert findings(store) == {(f"sound/{path.name}", "fingerprint of clue")}


def test_the_fingerprint_of_another_trailer(store: Path) -> None:
    path = shard(store, "picture", "clue")
    other = pq.read_table(shard(store, "picture", "alien"))["fingerprint"][0].as_py()
    edit(path, set_value("fingerprint", other))
    assert findings(store) == {(f"picture/{path.name}", "fingerprint of clue")}


def test_an_embedding_of_a_clip_that_is_not_there(store: Path) -> None:
    path = shard(store, "picture", "clue")
    edit(path, set_value("clip", 9, row=-1))
    assert findings(store) == {(f"picture/{path.name}", "clip")}


def test_a_trailer_with_another_number_of_clips(store: Path) -> None:
    path = shard(store, "trailers", "clue")
    edit(path, lambda rows: [row | {"n_clips": row["n_clips"] + 1} for row in rows])
    assert ("clips", "clips of clue") in findings(store)


def test_clips_of_a_trailer_that_is_not_there(store: Path) -> None:
    shard(store, "trailers", "clue").unlink()
    assert findings(store) == {("trailers", "row of clue")}


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite(store: Path, bad: float) -> None:
    path = shard(store, "picture", "clue")
    edit(path, set_value("embedding", [0.0, bad, 0.0, 0.0]))
    assert findings(store) == {(f"picture/{path.name}", "embedding")}


def test_a_vector_that_is_null(store: Path) -> None:
    path = shard(store, "picture", "clue")
    edit(path, set_value("embedding", None))
    assert findings(store) == {(f"picture/{path.name}", "embedding")}


def test_a_receipt_that_was_edited(store: Path) -> None:
    edit(store / "receipts.parquet", set_value("parameters", '{"batch":9}'))
    assert {file for file, _ in findings(store)} == {"receipts.parquet"}


def test_an_output_digest_that_was_edited(store: Path) -> None:
    edit(store / "receipts.parquet", set_value("output_digest", "0" * 64))
    assert next(iter(findings(store)))[1].startswith("output digest of")


def test_changed_rows_with_old_descriptions(store: Path) -> None:
    path = shard(store, "clips", "clue")
    edit(path, set_value("cut_score", 99.0))
    assert [(f.file, f.what) for f in validate(store)] == [(f"clips/{path.name}", "sha256")]
    old = {name: (store / name).read_bytes() for name in ("digest.txt", "README.md")}
    describe(store)
    for name, content in old.items():
        (store / name).write_bytes(content)
    assert {finding.file for finding in validate(store)} == old.keys()


def test_a_croissant_file_that_leaves_a_table_out(store: Path) -> None:
    path = store / "croissant.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    data["distribution"] = [entry for entry in data["distribution"] if entry["@id"] != "sound"]
    path.write_text(json.dumps(data), encoding="utf-8")
    assert [(f.file, f.what) for f in validate(store)] == [("croissant.json", "distribution")]


@pytest.mark.parametrize("name", ["manifest.sha256", "digest.txt", "README.md", "croissant.json"])
@pytest.mark.parametrize("content", [b"\xf4\xff", b"", b"[1]"])
def test_a_description_that_is_something_else(store: Path, name: str, content: bytes) -> None:
    (store / name).write_bytes(content)
    assert validate(store)


def test_a_finding_reads_as_a_sentence() -> None:
    finding = Finding("a.parquet", "rows", "3", "2")
    assert str(finding) == "a.parquet: rows: expected 3, found 2"
