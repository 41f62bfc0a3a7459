import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from mmx.features import ExpertSource, build_store
from mmx.features.read import expert_rows, read_table
from mmx.features.receipts import receipt_of, receipts_table, step_receipts
from mmx.outputs import read_receipts, write_receipts

if TYPE_CHECKING:
    from tests.features.conftest import Collection, MakeCollection


def contents(store: Path) -> dict[str, bytes]:
    """Every file of a store by its path."""
    paths = (path for path in store.rglob("*") if path.is_file())
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in paths}


def test_equal_input_gives_equal_bytes(
    collection: "Collection", make_collection: "MakeCollection", tmp_path: Path
) -> None:
    again = make_collection(tmp_path / "again")
    assert collection.build(tmp_path / "one") == again.build(tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_order_of_experts_and_of_sources_does_not_matter(
    collection: "Collection", built: Path, tmp_path: Path
) -> None:
    sources = pq.read_table(collection.sources)
    pq.write_table(sources.take(list(range(len(sources)))[::-1]), tmp_path / "sources.parquet")
    out = tmp_path / "out"
    out.mkdir()
    build_store(
        out,
        sources=tmp_path / "sources.parquet",
        clips=collection.clips,
        experts=collection.experts[::-1],
        upstream=[collection.folder / "audio"],
    )
    assert contents(out) == contents(built)


def test_shards_are_links_and_not_copies(collection: "Collection", built: Path) -> None:
    for path in (built / "picture").iterdir():
        assert os.path.samefile(path, collection.folder / "picture" / path.name)


def test_trailers_hold_facts_and_no_labels(collection: "Collection", built: Path) -> None:
    rows = read_table(built / "trailers").to_pylist()
    assert {row["trailer_id"]: row["n_clips"] for row in rows} == {
        name: count or 0 for name, count in collection.counts.items()
    }
    assert {row["trailer_id"] for row in rows if not row["has_audio"]} == collection.silent
    assert not {"title", "year", "genres", "video"} & set(rows[0])


def test_every_row_leads_to_its_receipt(built: Path) -> None:
    receipts = {
        row["fingerprint"]: row for row in pq.read_table(built / "receipts.parquet").to_pylist()
    }
    for table, step in (
        ("clips", "scenes"),
        ("picture", "embed@picture"),
        ("sound", "embed@sound"),
    ):
        for row in read_table(built / table, columns=["trailer_id", "fingerprint"]).to_pylist():
            receipt = receipts[row["fingerprint"]]
            assert receipt["step"] == step
            assert row["trailer_id"] in receipt["trailers"]


def test_receipts_survive_the_table(collection: "Collection") -> None:
    receipts = read_receipts(collection.folder / "picture") | read_receipts(collection.clips)
    rows = receipts_table(receipts.items()).to_pylist()
    assert sorted(map(repr, map(receipt_of, rows))) == sorted(map(repr, receipts.values()))


def test_trailers_with_the_same_video_share_a_receipt(collection: "Collection") -> None:
    receipt = next(iter(read_receipts(collection.clips).values()))
    table = receipts_table([("b", receipt), ("a", receipt)])
    assert table["trailers"].to_pylist() == [["a", "b"]]


def test_receipts_of_a_directory_are_those_of_all_its_shards(
    collection: "Collection", tmp_path: Path
) -> None:
    receipts = read_receipts(collection.folder / "picture")
    table = step_receipts(collection.folder / "picture")
    assert table.equals(receipts_table(receipts.items()))
    name, receipt = next(iter(receipts.items()))
    write_receipts(tmp_path, {**receipts, "another": receipt}, 128)
    rows = {row["fingerprint"]: row["trailers"] for row in step_receipts(tmp_path).to_pylist()}
    assert rows.keys() == {each.fingerprint for each in receipts.values()}
    assert rows[receipt.fingerprint] == sorted([name, "another"])


def test_experts_table(collection: "Collection", built: Path) -> None:
    picture, sound = expert_rows(built)
    assert (picture["width"], picture["claimed_width"], picture["sequence"]) == (4, 2048, False)
    assert picture["weights_sha256"] == [collection.weight.sha256]
    assert picture["weights_licence"] == [collection.weight.licence]
    assert (sound["width"], sound["claimed_width"], sound["sequence"]) == (3, None, True)
    assert (sound["rows"], sound["trailers"]) == (6, 2)
    assert sound["weights_source"] == []


def test_a_shard_without_rows_is_left_out(collection: "Collection", built: Path) -> None:
    silent = [
        path.name
        for path in (collection.folder / "sound").glob("*.parquet")
        if pq.read_metadata(path).num_rows == 0
    ]
    assert silent
    assert not any((built / "sound" / name).exists() for name in silent)


def test_a_removed_expert_is_ignored(collection: "Collection", tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    build_store(
        out, sources=collection.sources, clips=collection.clips, experts=collection.experts[:1]
    )
    assert not (out / "sound").exists()
    for name in ("README.md", "croissant.json", "manifest.sha256", "digest.txt"):
        assert "sound/" not in (out / name).read_text(encoding="utf-8")
    assert [row["expert"] for row in expert_rows(out)] == ["picture"]


def test_a_reserved_name_is_refused(collection: "Collection", tmp_path: Path) -> None:
    expert = ExpertSource("clips", "scene", collection.folder / "picture")
    with pytest.raises(ValueError, match="'clips'"):
        build_store(tmp_path, sources=collection.sources, clips=collection.clips, experts=[expert])


def test_an_expert_that_failed_everywhere_is_listed_without_rows(
    make_collection: "MakeCollection", tmp_path: Path
) -> None:
    nothing = make_collection(tmp_path / "c", {"fargo": None, "gattaca": None})
    nothing.build(tmp_path / "out")
    rows = expert_rows(tmp_path / "out")
    assert [(row["width"], row["rows"]) for row in rows] == [(None, 0), (None, 0)]
    assert not (tmp_path / "out" / "clips").exists()


def test_manifest_has_the_bytes_of_every_parquet_file(built: Path) -> None:
    lines = (built / "manifest.sha256").read_text(encoding="utf-8").splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    files = {name: data for name, data in contents(built).items() if name.endswith(".parquet")}
    assert listed == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def test_parquet_carries_no_pandas_metadata(built: Path) -> None:
    for path in built.rglob("*.parquet"):
        assert set(pq.read_metadata(path).metadata or {}) <= {b"ARROW:schema"}


def test_card_head_names_every_table(collection: "Collection", built: Path) -> None:
    _, head, body = (built / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    configs = {
        entry["config_name"]: entry["data_files"] for entry in yaml.safe_load(head)["configs"]
    }
    assert configs["picture"] == "picture/e*.parquet"
    assert set(configs) == {"clips", "experts", "picture", "receipts", "sound", "trailers"}
    assert collection.weight.licence in body
    assert (built / "digest.txt").read_text(encoding="utf-8").split()[-1] in body


def test_every_column_has_a_meaning(built: Path) -> None:
    body = (built / "README.md").read_text(encoding="utf-8")
    for path in built.rglob("*.parquet"):
        for name in pq.read_schema(path).names:
            assert f"| {name} |" in body


def test_vectors_keep_their_width_in_the_file(built: Path) -> None:
    kinds = {
        name: pq.read_schema(next((built / name).iterdir())).field("embedding").type
        for name in ("picture", "sound")
    }
    assert kinds["picture"] == pa.list_(pa.float32(), 4)
    assert kinds["sound"] == pa.list_(pa.list_(pa.float32(), 3))
