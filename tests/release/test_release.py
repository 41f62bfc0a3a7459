"""A release opens by split in what people read Parquet with, and can be checked by itself."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import mlcroissant as mlc
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
import yaml

from mmx.release.about import About, ReleaseError, read_about
from mmx.release.build import build_release, check_version, next_version
from mmx.release.changes import changes_text
from mmx.release.verify import verify_release

if TYPE_CHECKING:
    from mmx.release.tables import Content

pytestmark = pytest.mark.slow

TRAIN, TEST = ["alien", "dune"], ["brazil"]


def test_it_is_valid_and_has_accepted_trailers_alone(release: Path) -> None:
    assert verify_release(release) == []
    everything = b"".join(path.read_bytes() for path in release.rglob("*") if path.is_file())
    tables = [pq.read_table(path).to_pylist() for path in release.rglob("*.parquet")]
    assert b"secret reason" not in everything
    assert "fargo" not in repr(tables) and "secret" not in repr(tables)
    columns = set(pd.read_parquet(release / "trailers").columns)
    assert not columns & {"video", "status", "reason"}


def test_the_joined_table_has_labels_split_facts_and_both_models(
    release: Path, content: "Content"
) -> None:
    rows = {
        row["trailer_id"]: row for row in pd.read_parquet(release / "trailers").to_dict("records")
    }
    assert sorted(rows) == ["alien", "brazil", "clue", "dune", "élan"]
    assert content.predictions is not None and content.embeddings is not None
    for row in content.embeddings.to_pylist():
        assert list(rows[row["trailer_id"]][f"embedding_{row['model']}"]) == row["embedding"]
    for row in content.predictions.to_pylist():
        assert list(rows[row["trailer_id"]][f"predicted_{row['model']}"]) == row["predicted"]
    assert {row["director"] for row in rows.values()} == {f"Director of {name}" for name in rows}
    assert rows["alien"]["title"] == "alien | <b>" and rows["alien"]["width"] == 640
    assert rows["élan"]["embedding_fine"] is None and rows["brazil"]["split"] == "test"


def test_a_column_of_the_users_own_is_described(release: Path) -> None:
    described = json.loads((release / "croissant.json").read_text())
    fields = [field["name"] for table in described["recordSet"] for field in table["field"]]
    assert "director" in {name.rpartition("/")[2] for name in fields}
    assert "| director | string |" in (release / "README.md").read_text()


def test_pandas_polars_and_duckdb_open_it_by_split(release: Path) -> None:
    assert sorted(pd.read_parquet(release / "trailers/train")["trailer_id"]) == TRAIN
    assert (
        pl.read_parquet(release / "clips/test/*.parquet")["trailer_id"].unique().to_list() == TEST
    )
    relation = duckdb.sql(f"""
        select t.split, p.model, count(*) from '{release}/predictions/*/*.parquet' p
        join '{release}/trailers/*/*.parquet' t using (trailer_id) group by all order by all
    """)
    assert relation is not None
    found = relation.fetchall()
    assert found == [
        (split, model, n)
        for split, n in (("test", 1), ("train", 2), ("validation", 1))
        for model in ("coarse", "fine")
    ]


def test_hugging_face_datasets_opens_every_table_by_split(release: Path, tmp_path: Path) -> None:
    program = """
import sys
from datasets import load_dataset
joined = load_dataset(sys.argv[1], split="test", cache_dir=sys.argv[2])
print(joined["trailer_id"][:], load_dataset(sys.argv[1], cache_dir=sys.argv[2]).keys())
for name in sys.argv[3:]:
    print(name, len(load_dataset(sys.argv[1], name, split="train", cache_dir=sys.argv[2])))
"""
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "HF_DATASETS_OFFLINE": "1"}
    names = ["clips", "predictions", "embeddings", "picture", "receipts"]
    done = subprocess.run(
        [sys.executable, "-c", program, str(release), str(tmp_path), *names],
        env={**os.environ, **offline},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    first, *others = done.stdout.strip().splitlines()
    assert first == "['brazil'] dict_keys(['train', 'validation', 'test', 'unsplit'])"
    assert others[:3] == ["clips 3", "predictions 4", "embeddings 4"]


def test_croissant_is_valid_and_says_by_whom(release: Path) -> None:
    dataset = mlc.Dataset(release / "croissant.json")
    assert not dataset.metadata.ctx.issues.errors
    data = json.loads((release / "croissant.json").read_text())
    assert data["conformsTo"].endswith("/1.1")
    assert (data["version"], data["datePublished"]) == ("1.0.0", "2026-01-31")
    assert data["creator"]["name"] == "An institute" and data["creator"]["email"] == "a@x.org"
    assert data["url"] == "https://x.org/set" and data["name"] == "Ten films"
    records = list(dataset.records("predictions-rows"))
    assert len(records) == 8 and "predictions-rows/Science-Fiction" in records[0]


def test_the_card_describes_every_column(release: Path) -> None:
    card = (release / "README.md").read_text()
    _, head, body = card.split("---\n", 2)
    configs = {each["config_name"]: each for each in yaml.safe_load(head)["configs"]}
    assert [name for name, each in configs.items() if each.get("default")] == ["trailers"]
    assert "Probability of the genre Science-Fiction." in body and "An institute" in body
    for path in release.glob("*/*/*.parquet"):
        assert all(f"| {name} |" in body for name in pq.read_schema(path).names)


def _flip(release: Path) -> None:
    path = min(release.glob("clips/*/*.parquet"))
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)


def _move_to_another_split(release: Path) -> None:
    """Somebody moves a table and describes the release again: rows no longer fit."""
    from mmx.release.describe import describe_release

    path = min(release.glob("clips/test/*.parquet"))
    path.rename(release / "clips/train" / path.name)
    describe_release(release)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_flip, "has other bytes than manifest.sha256 says"),
        (lambda r: min(r.glob("clips/*/*.parquet")).unlink(), "is missing"),
        (
            lambda r: shutil.copy(r / "experts.parquet", r / "x.parquet"),
            "is not in manifest.sha256",
        ),
        (lambda r: (r / "digest.txt").write_text("x"), "digest.txt is not that of the tables"),
        (lambda r: (r / "README.md").write_text("x"), "README.md does not have the root digest"),
        (lambda r: (r / "shards.txt").unlink(), "shards.txt is missing"),
        (_move_to_another_split, "which is not in that split of trailers"),
    ],
)
def test_damage_is_named(release: Path, tmp_path: Path, damage: object, said: str) -> None:
    shutil.copytree(release, tmp_path / "copy")
    assert callable(damage)
    damage(tmp_path / "copy")
    findings = verify_release(tmp_path / "copy")
    assert findings and said in findings[0]


def test_a_folder_that_is_no_release_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="is not a release"):
        verify_release(tmp_path)


def test_the_next_release_shares_what_did_not_change(
    release: Path, content: "Content", tmp_path: Path
) -> None:
    again = About(**{**vars(read_about(release)), "version": "1.1.0"})
    changes = changes_text(again, content.features, release)
    built = build_release(tmp_path / "1.1.0", content, again, changes, release)
    assert built.unchanged == built.files > 10
    for path in release.rglob("*.parquet"):
        assert path.samefile(tmp_path / "1.1.0" / path.relative_to(release))
    assert "Since 1.0.0: 0 trailers added, 1 removed" not in changes
    assert (tmp_path / "1.1.0" / "CHANGES.md").read_text() == changes


def test_the_first_release_and_one_whose_predecessor_is_gone_say_so(
    content: "Content", tmp_path: Path
) -> None:
    about = About("1.0.0", "2026-01-31", "x")
    assert "The first release" in changes_text(about, content.features, None)
    told = changes_text(about, content.features, tmp_path / "0.9.0")
    assert "0.9.0, is not here to compare with" in told


def test_a_folder_with_something_in_it_is_refused_and_untouched(
    content: "Content", tmp_path: Path
) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(ReleaseError, match="is not empty"):
        build_release(tmp_path, content, About("1.0.0", "d", "n"), "")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_versions() -> None:
    assert next_version(["1.0.0", "x", "2.3.9"]) == "2.4.0"
    for wrong in ("1", "v1.0.0", "1.0.0/..", ""):
        with pytest.raises(ReleaseError, match="not three numbers"):
            check_version(wrong)
