"""The publication opens unchanged in everything that people read Parquet with."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import mlcroissant as mlc
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmx.features import read_table
from mmx.features.columns import meaning_of
from mmx.features.publish import PublishError, publish
from mmx.features.validate import validate
from mmx.trailers.intake import trailers_schema

if TYPE_CHECKING:
    from tests.features.conftest import Collection

TABLES = {"clips": 11, "labels": 6, "picture": 11, "sound": 6, "splits": 6, "trailers": 6}
Labels = tuple[Path, Path]


@pytest.fixture
def published(built: Path, labels: Labels, tmp_path: Path) -> Path:
    """The small collection with its labels."""
    out = tmp_path / "publication"
    publish(out, store=built, trailers=labels[0], splits=labels[1])
    return out


def test_it_is_valid_and_covers_the_labels(published: Path, built: Path) -> None:
    assert validate(published) == []
    digests = dict(line.split()[::2] for line in lines(published / "digest.txt")[:-1])
    inner = dict(line.split()[::2] for line in lines(built / "digest.txt")[:-1])
    assert digests.keys() - inner.keys() == {"labels", "splits"}
    assert inner.items() <= digests.items()
    assert lines(published / "digest.txt")[-1] != lines(built / "digest.txt")[-1]


def lines(path: Path) -> list[str]:
    """The lines of a text file."""
    return path.read_text(encoding="utf-8").splitlines()


def test_equal_input_gives_equal_bytes(
    published: Path, built: Path, labels: Labels, tmp_path: Path
) -> None:
    publish(tmp_path / "again", store=built, trailers=labels[0], splits=labels[1])
    for path in published.rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(published)).read_bytes()


def test_only_into_an_empty_folder(built: Path, labels: Labels, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="not empty"):
        publish(tmp_path, store=built, trailers=labels[0], splits=labels[1])


def test_not_from_an_invalid_store(
    collection: "Collection", labels: Labels, tmp_path: Path
) -> None:
    collection.build(tmp_path / "store")
    (tmp_path / "store" / "digest.txt").unlink()
    with pytest.raises(PublishError, match=r"not valid: digest.txt: file"):
        publish(tmp_path / "out", store=tmp_path / "store", trailers=labels[0], splits=labels[1])


def test_not_with_labels_of_other_trailers(built: Path, labels: Labels, tmp_path: Path) -> None:
    table = pq.read_table(labels[0])
    pq.write_table(table.filter(pa.compute.not_equal(table["trailer_id"], "clue")), labels[0])
    with pytest.raises(PublishError, match=r"row of clue.*and 1 more"):
        publish(tmp_path / "out", store=built, trailers=labels[0], splits=labels[1])


def test_pandas(published: Path) -> None:
    frame = pd.read_parquet(published / "picture")
    expected = read_table(published / "picture").to_pandas()
    keys = ["trailer_id", "clip"]
    pd.testing.assert_frame_equal(
        frame.sort_values(keys, ignore_index=True), expected, check_dtype=False
    )


def test_duckdb(published: Path) -> None:
    joined = duckdb.sql(
        f"""select l.title, count(*) as clips, max(len(s.embedding)) as patches
            from '{published}/clips/*.parquet' c
            join '{published}/trailers.parquet' l using (trailer_id)
            left join '{published}/sound/*.parquet' s using (trailer_id, clip)
            join '{published}/receipts.parquet' r on r.fingerprint = c.fingerprint
            group by all order by 1"""
    )
    assert joined is not None
    titles = ["alien", "brazil", "clue", "élan"]
    expected = zip(titles, [3, 2, 5, 1], [3, None, 5, None], strict=True)
    assert joined.fetchall() == [
        (f"{title} | <b>", clips, patches) for title, clips, patches in expected
    ]


def test_polars(published: Path) -> None:
    frame = pl.read_parquet(published / "sound" / "*.parquet").sort("trailer_id", "clip")
    assert frame.schema["embedding"] == pl.List(pl.Array(pl.Float32, 3))
    expected = read_table(published / "sound")["embedding"].to_pylist()
    assert frame["embedding"].to_list() == expected


def test_hugging_face_datasets(published: Path, tmp_path: Path) -> None:
    program = (
        "import json, sys; from datasets import load_dataset\n"
        "names = sys.argv[2:]\n"
        "sets = {name: load_dataset(sys.argv[1], name, split='train') for name in names}\n"
        "print(json.dumps({name: [len(x), str(x.features)] for name, x in sets.items()}))"
    )
    offline = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program, str(published), *TABLES],
        capture_output=True,
        text=True,
        env=os.environ | offline,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert {name: rows for name, (rows, _) in found.items()} == TABLES
    assert "length=4" in found["picture"][1]


def test_croissant_reads_every_record_set(published: Path) -> None:
    dataset = mlc.Dataset(published / "croissant.json")
    assert not dataset.metadata.ctx.issues.errors
    sets = {record_set.id.removesuffix("-rows") for record_set in dataset.metadata.record_sets}
    assert sets == {*TABLES, "experts", "receipts"}
    expected = {
        (row["trailer_id"], row["clip"]): row["embedding"]
        for row in read_table(published / "sound").to_pylist()
    }
    found = {
        (row["sound-rows/trailer_id"].decode(), row["sound-rows/clip"]): row["sound-rows/embedding"]
        for row in dataset.records("sound-rows")
    }
    assert found == expected


def test_croissant_tells_provenance_and_responsibility(
    collection: "Collection", published: Path
) -> None:
    data = json.loads((published / "croissant.json").read_text(encoding="utf-8"))
    files = {entry["@id"]: entry for entry in data["distribution"]}
    assert data["prov:value"].removeprefix("sha256:") == lines(published / "digest.txt")[-1]
    _, weights = files["picture"]["prov:wasDerivedFrom"]
    assert weights["@id"] == f"sha256:{collection.weight.sha256}"
    assert weights["license"] == collection.weight.licence
    assert files["sound"]["prov:wasDerivedFrom"] == [{"@id": "clips"}]
    assert "rai:dataBiases" in data
    assert "rai:personalSensitiveInformation" in data
    assert data["license"][0] == collection.weight.licence


def test_a_column_that_a_team_has_added_is_published_and_described(
    built: Path, labels: Labels, tmp_path: Path
) -> None:
    names = ["director", "empty", "fingerprint", "width"]
    cells = {name: [f"{name} <b> | é"] * TABLES["labels"] for name in names} | {
        "empty": [""] * TABLES["labels"]
    }
    table = pq.read_table(labels[0])
    for name in names:
        table = table.append_column(name, [cells[name]])
    pq.write_table(table, labels[0])
    out = tmp_path / "publication"
    publish(out, store=built, trailers=labels[0], splits=labels[1])
    assert validate(out) == []
    assert pl.read_parquet(out / "trailers.parquet").select(names).to_dict(as_series=False) == cells
    card = (out / "README.md").read_text(encoding="utf-8")
    section = card.partition("### labels:")[2].partition("###")[0]
    assert all(f"| {name} | string | As the manifest has it. |" in section for name in names)
    assert "| title | string | Title of the film. |" in section
    dataset = mlc.Dataset(out / "croissant.json")
    assert not dataset.metadata.ctx.issues.errors
    (described,) = (each for each in dataset.metadata.record_sets if each.id == "labels-rows")
    found = {each.name: each for each in described.fields}
    assert {found[name].description for name in names} == {"As the manifest has it."}
    assert not any(found[name].equivalentProperty for name in names)
    read = [row["labels-rows/director"].decode() for row in dataset.records("labels-rows")]
    assert read == cells["director"]


def test_every_column_of_mmx_has_a_meaning_of_its_own() -> None:
    for column in trailers_schema():
        meaning = meaning_of("labels", column.name)
        assert meaning and meaning != meaning_of("labels", "another")


def test_titles_cannot_break_the_card(published: Path) -> None:
    body = (published / "README.md").read_text(encoding="utf-8")
    assert "<b>" not in body
    rows = [line for line in body.splitlines() if line.startswith("| picture |")]
    assert len(rows) == 2
