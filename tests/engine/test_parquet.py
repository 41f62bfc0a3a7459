from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from mmx.engine.parquet import GROUP_ROWS, write_parquet, write_parts


@pytest.mark.parametrize("cuts", [[], [5], [GROUP_ROWS], [3, 3, 9000, 9001]])
def test_parts_give_the_bytes_of_the_whole(cuts: list[int], tmp_path: Path) -> None:
    numbers = list(range(10_000))
    texts = pa.array([f"text {number % 97}" for number in numbers])
    table = pa.table({"number": numbers, "text": texts, "list": [[str(n)] for n in numbers]})
    bounds = [0, *cuts, len(table)]
    parts = [table.slice(a, b - a) for a, b in pairwise(bounds)]
    write_parquet(table, tmp_path / "whole")
    write_parts(parts, table.schema, tmp_path / "parts")
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()


def test_no_parts_give_the_bytes_of_no_rows(tmp_path: Path) -> None:
    schema = pa.schema([("number", pa.int64())])
    write_parquet(schema.empty_table(), tmp_path / "whole")
    write_parts([], schema, tmp_path / "parts")
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()
