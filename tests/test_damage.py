"""Finding the output that cannot be read."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmx.damage import damaged_output
from mmx.outputs import ITEM

ROWS = pa.table({ITEM: ["a"], "clip": [0], "embedding": [[0.5, 1.0]]})


@pytest.mark.parametrize("name", ["e00.parquet", "e3f.parquet", "e0001-0128.parquet"])
@pytest.mark.parametrize("gone", [ITEM, "embedding"])
def test_a_shard_without_a_column_is_named(name: str, gone: str, tmp_path: Path) -> None:
    shard = tmp_path / "data/embeddings/lite_audio" / name
    shard.parent.mkdir(parents=True)
    pq.write_table(ROWS, shard)
    assert damaged_output(tmp_path) == ""
    pq.write_table(ROWS.drop_columns([gone]), shard)
    assert damaged_output(tmp_path) == shard.relative_to(tmp_path).as_posix()


def test_other_tables_need_no_embeddings(tmp_path: Path) -> None:
    (tmp_path / "data/features").mkdir(parents=True)
    for name in ("experts.parquet", "explorer.parquet"):
        pq.write_table(pa.table({"expert": ["lite_audio"]}), tmp_path / "data/features" / name)
    assert damaged_output(tmp_path) == ""
