import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from mmx.evaluation import scores, tables
from mmx.evaluation.tables import ResultTable, TrailerPrediction

GENRES = ["Action", "War"]
RECORD = scores.score(
    np.array([[1, 0], [0, 0], [1, 0]]), np.array([[0.9, 0.1], [0.4, 0.1], [0.2, 0.1]]), GENRES, 0.3
)
SPREAD = scores.summarise([RECORD, RECORD])[1]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_text_that_is_a_formula_is_escaped(text: str) -> None:
    rows = list(csv.reader(io.StringIO(tables.to_csv([text], [[text]]), newline="")))
    assert all(cell.startswith("'") for row in rows for cell in row)


@pytest.mark.parametrize("cell", [-1.5, -1, None, "a=b", "Amélie, “ou”\nnon"])
def test_other_cells_are_left_alone(cell: tables.Cell) -> None:
    assert tables.escape_formula(cell) == cell
    text = io.StringIO(tables.to_csv(["a", "b"], [[cell, 1]]), newline="")
    assert list(csv.reader(text))[1] == ["" if cell is None else str(cell), "1"]


def test_a_table_is_written_for_people_and_programs(tmp_path: Path) -> None:
    tables.write_table(tmp_path, ResultTable("t", ("a", "b"), (("=x", None), ("y", 0.5))))
    assert (tmp_path / "t.csv").read_text() == "a,b\n'=x,\ny,0.5\n"
    rows = [{"a": "=x", "b": None}, {"a": "y", "b": 0.5}]
    assert json.loads((tmp_path / "t.json").read_text()) == rows


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        tables.to_json({"a": float("nan")})


def test_table_1_counts() -> None:
    [row] = tables.dataset_table(240, 20, [1, 3, 2]).records()
    assert (row["trailers"], row["frames"], row["genres"]) == (3, 240, 20)
    assert (row["genres_per_trailer"], row["genres_on_average"]) == (3, 2.0)
    assert tables.dataset_table(0, 20, []).records()[0]["genres_per_trailer"] is None


def test_table_2_has_f1_per_genre_and_the_weighted_figures() -> None:
    support, full, alone = tables.genre_table({"A": RECORD, "B": RECORD}, {"B": SPREAD}).records()
    assert (support["Action"], support["War"]) == (2, 0)
    assert (full["Action"], full["War"]) == (0.5, None)
    assert full["f1_weighted"] == 0.5
    assert full["precision_weighted"] == full["recall_weighted"] == 0.5
    assert full["ap_weighted"] == pytest.approx(RECORD["ap"]["weighted"])
    assert full["f1_weighted_spread"] is None
    assert alone["f1_weighted_spread"] == 0.0


def test_table_3_keeps_step_and_trapezoid_apart() -> None:
    row, several = tables.area_table({"A": RECORD, "B": RECORD}, {"B": SPREAD}, 2, 1).records()
    assert (row["ap_macro_spread"], several["area_macro_spread"]) == (None, 0.0)
    assert row["ap_micro"] == RECORD["ap"]["micro"]
    assert row["area_weighted"] == RECORD["area"]["weighted"]
    assert row["ap_macro"] != row["area_macro"]


def test_table_4_lists_what_each_model_adds_and_drops_the_surest_addition_first() -> None:
    predictions = [
        TrailerPrediction("fine", "a", "A", ["War"], {"Action": 0.2, "War": 0.3}),
        TrailerPrediction("coarse", "a", "A", ["War"], {"Action": 0.31, "War": 0.9}),
        TrailerPrediction("coarse", "b", "B", ["War"], {"Action": 0.3, "War": 0.9}),
        TrailerPrediction("coarse", "c", "C", ["Action"], {"Action": 0.1, "War": 0.8}),
    ]
    rows = tables.change_table(predictions, 0.3).records()
    assert [tuple(r.values())[:2] + tuple(r.values())[4:] for r in rows] == [
        ("coarse", "c", "War", "War", "Action", 0.8),
        ("coarse", "a", "War|Action", "Action", "", 0.31),
        ("fine", "a", "", "", "War", None),
    ]


def test_table_5_is_sorted_by_length() -> None:
    found = tables.length_table({9: (RECORD, None), 1: (RECORD, SPREAD)}).records()
    assert [row["length"] for row in found] == [1, 9]
    assert [row["ap_weighted_spread"] for row in found] == [0.0, None]
