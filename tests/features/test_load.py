"""Loading a store that somebody edited: every row on its own clip, or an error that says where."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmx.engine.canonical import file_digest
from mmx.engine.shards import FEWEST, shard_of
from mmx.features import FeaturesError, load
from mmx.features.digest import shards_text
from mmx.features.facts import StoreFacts
from mmx.features.validate import validate

Rows = list[dict[str, Any]]


@pytest.fixture
def store(built: Path, tmp_path: Path) -> Path:
    """A copy of the store that a test may damage."""
    return Path(shutil.copytree(built, tmp_path / "features"))


def rewrite(store: Path, table: str, trailer: str, change: Callable[[Rows], Rows]) -> None:
    """Change the rows of a trailer's shard, and shards.txt with them."""
    path = next((store / table).glob(f"?{shard_of(trailer)}.parquet"))
    old = pq.read_table(path)
    pq.write_table(pa.Table.from_pylist(change(old.to_pylist()), old.schema), path)
    (store / "shards.txt").write_text(shards_text(StoreFacts(store).shards))


def renumber(rows: Rows) -> Rows:
    return [{**rows[0], "clip": 7}, *rows[1:]]


def negative(rows: Rows) -> Rows:
    return [{**rows[0], "clip": -1}, *rows[1:]]


def double(rows: Rows) -> Rows:
    return [rows[0], *rows]


def strange(rows: Rows) -> Rows:
    return [{**rows[0], "trailer_id": "nobody"}, *rows[1:]]


def without_first(rows: Rows) -> Rows:
    return rows[1:]


def value(number: float | None) -> Callable[[Rows], Rows]:
    """Put a number in place of the first one of the first embedding."""
    return lambda rows: [{**rows[0], "embedding": [number, *rows[0]["embedding"][1:]]}, *rows[1:]]


@pytest.mark.parametrize(
    ("table", "change", "said"),
    [
        ("picture", renumber, "row for clip 7 of 'alien', which the table of clips lacks"),
        ("picture", negative, "row for clip -1 of 'alien', which the table of clips lacks"),
        ("picture", double, "row for clip 0 of 'alien', which has a row already"),
        ("picture", strange, "row for clip 0 of 'nobody', which the table of clips lacks"),
        ("sound", double, "which has a row already"),
        ("clips", renumber, "does not have the clips of 'alien' from 0 on"),
        ("clips", double, "does not have the clips of 'alien' from 0 on"),
        ("clips", without_first, "does not have the clips of 'alien' from 0 on"),
        ("picture", value(float("nan")), "has an embedding that is not finite"),
        ("picture", value(float("-inf")), "has an embedding that is not finite"),
        ("picture", value(None), "has an embedding with a missing value"),
    ],
)
def test_a_row_that_belongs_to_no_clip_is_an_error(
    store: Path, table: str, change: Callable[[Rows], Rows], said: str
) -> None:
    rewrite(store, table, "alien", change)
    with pytest.raises(FeaturesError, match=re.escape(said)) as error:
        load(store)
    assert table in str(error.value)


def test_a_missing_shard_is_not_absence(store: Path) -> None:
    path = next((store / "picture").glob(f"?{shard_of('alien')}.parquet"))
    path.unlink()
    with pytest.raises(FeaturesError, match=r"is missing, but shards\.txt names it"):
        load(store)
    assert "brazil" in load(store, ["brazil"]).trailer_ids


def test_a_file_that_nothing_names_is_not_read(store: Path) -> None:
    before = load(store)
    names = {path.stem[1:] for path in (store / "picture").iterdir()}
    free = next(name for name in map("{:02x}".format, range(FEWEST)) if name not in names)
    (store / "picture" / f"e{free}.parquet").write_bytes(b"no Parquet")
    np.testing.assert_array_equal(
        load(store).experts["picture"].values, before.experts["picture"].values
    )


def test_another_number_of_rows_is_an_error(store: Path) -> None:
    path = next((store / "clips").glob(f"?{shard_of('clue')}.parquet"))
    pq.write_table(pq.read_table(path).slice(0, 2), path)
    with pytest.raises(FeaturesError, match=r"has 2 rows, shards\.txt says"):
        load(store)


def test_other_columns_are_an_error(store: Path) -> None:
    path = next((store / "picture").glob(f"?{shard_of('alien')}.parquet"))
    table = pq.read_table(path)
    place = table.column_names.index("embedding")
    wide = pa.array([[1.0, 2.0]] * len(table), pa.list_(pa.float32(), 2))
    pq.write_table(table.set_column(place, "embedding", wide), path)
    with pytest.raises(FeaturesError, match="not 4 float32"):
        load(store)
    pq.write_table(table.drop_columns(["embedding"]), path)
    with pytest.raises(FeaturesError, match="has no column embedding"):
        load(store)
    path.write_bytes(b"PAR1")
    with pytest.raises(FeaturesError, match="cannot be read"):
        load(store)


def test_pipes_are_neither_loaded_nor_waited_for(store: Path) -> None:
    path = next((store / "clips").iterdir())
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(FeaturesError, match="is missing"):
        load(store)
    assert [finding.file for finding in validate(store)] == [f"clips/{path.name}"]
    (store / "shards.txt").unlink()
    os.mkfifo(store / "shards.txt")
    with pytest.raises(FeaturesError, match="pipe"):
        load(store)
    assert "shards.txt" in [finding.file for finding in validate(store)]


@pytest.mark.parametrize("file", ["experts.parquet", "receipts.parquet"])
def test_tables_with_other_columns_are_findings(store: Path, file: str) -> None:
    pq.write_table(pa.table({"other": [1]}), store / file)
    (store / "manifest.sha256").write_text(
        re.sub(
            rf"[0-9a-f]{{64}}(?=  {re.escape(file)})",
            file_digest(store / file),
            (store / "manifest.sha256").read_text(),
        )
    )
    assert validate(store)


@pytest.mark.parametrize("content", [b"\xff", b"a b\n", b"clips/c00.parquet many 00\n"])
def test_a_list_of_files_that_is_none_is_an_error(store: Path, content: bytes) -> None:
    (store / "shards.txt").write_bytes(content)
    with pytest.raises(FeaturesError, match="cannot be read"):
        load(store)


def write_large(store: Path, trailers: int, clips: int, width: int) -> None:
    """Write a store of one expert, as far as loading reads it."""
    names = [f"film-{at:04d}" for at in range(trailers)]
    (store / "clips").mkdir()
    (store / "look").mkdir()
    for shard in map("{:02x}".format, range(FEWEST)):
        ids = [name for name in names if shard_of(name) == shard for _ in range(clips)]
        clip = np.tile(np.arange(clips, dtype=np.int32), len(ids) // clips)
        flat = pa.array(np.full(len(ids) * width, len(ids), np.float32))
        rows = pa.table({"trailer_id": ids, "clip": clip})
        for name in ("start_s", "stop_s"):
            rows = rows.append_column(name, pa.array(clip * 1.0))
        pq.write_table(rows, store / "clips" / f"c{shard}.parquet")
        vectors = pa.FixedSizeListArray.from_arrays(flat, width)
        rows = rows.select(["trailer_id", "clip"]).append_column("embedding", vectors)
        pq.write_table(rows, store / "look" / f"e{shard}.parquet")
    about = {"expert": "look", "modality": "m", "width": width, "sequence": False, "rows": 1}
    pq.write_table(pa.Table.from_pylist([about]), store / "experts.parquet")
    (store / "shards.txt").write_text(shards_text(StoreFacts(store).shards))


@pytest.mark.slow
def test_memory_is_little_more_than_the_vectors(tmp_path: Path) -> None:
    write_large(tmp_path, trailers=1600, clips=10, width=3072)
    script = (
        "import sys; from pathlib import Path; from mmx.features import load;"
        "status = Path('/proc/self/status');"
        "peak = lambda: 1024 * int(status.read_text().split('VmHWM:')[1].split()[0]);"
        "store = Path(sys.argv[1]); load(store, ['film-0000']); before = peak();"
        "size = load(store).experts['look'].values.nbytes; print((peak() - before) / size)"
    )
    # Arrow's own pool keeps some of what was freed, more or less of it.
    environment = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"}
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert 0.9 <= float(done.stdout) <= 1.3
