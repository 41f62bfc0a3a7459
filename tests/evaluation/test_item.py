from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_world import GENRES, PARAMS, World

from mmx.evaluation import metrics as reference
from mmx.evaluation import retrieval
from mmx.evaluation.item import evaluate_item
from mmx.evaluation.scores import sigmoid
from mmx.training.data import read_collection
from mmx.training.embed import Embedded, embed_collection
from mmx.training.load import load_description, load_network


@pytest.fixture(scope="module")
def coarse(world: World) -> Embedded:
    """The output of the coarse model."""
    inputs = world.inputs
    described = load_description(inputs["coarse"])
    features, trailers, splits = (inputs[name] for name in ("features", "trailers", "splits"))
    collection = read_collection(features, trailers, splits, described.experts, described.genres)
    return embed_collection(load_network(inputs["coarse"]), collection)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_equal_inputs_give_equal_bytes(world: World, tmp_path: Path) -> None:
    facts = evaluate_item(**world.inputs, params=PARAMS, out=tmp_path)
    assert contents(tmp_path) == contents(world.layout.evaluation)
    assert (facts["trailers"], facts["tested"]) == (48, 12)


def test_a_title_changes_nothing(world: World, tmp_path: Path) -> None:
    table = pq.read_table(world.inputs["trailers"])
    at = table.column_names.index("title")
    renamed = table.set_column(at, "title", pa.array(["New"] * len(table)))
    pq.write_table(renamed, tmp_path / "trailers.parquet")
    (tmp_path / "out").mkdir()
    inputs = {**world.inputs, "trailers": tmp_path / "trailers.parquet"}
    evaluate_item(**inputs, params=PARAMS, out=tmp_path / "out")
    assert contents(tmp_path / "out") == contents(world.layout.evaluation)


def test_embeddings_are_the_models_own(world: World, coarse: Embedded) -> None:
    table = pq.read_table(world.layout.evaluation / "trailer_embeddings.parquet")
    assert table.column_names == ["trailer_id", "split", "coarse", "fine"]
    assert table["trailer_id"].to_pylist() == world.ids
    found = np.array(table["coarse"].to_pylist(), dtype=np.float32)
    assert found.tobytes() == coarse.trailer.tobytes()
    assert not np.array_equal(found, np.array(table["fine"].to_pylist(), dtype=np.float32))


def test_metrics_are_those_of_the_test_split(
    world: World, coarse: Embedded, metrics: dict[str, Any]
) -> None:
    splits = pq.read_table(world.inputs["splits"]).to_pydict()
    rows = [i for i, split in enumerate(splits["split"]) if split == "test"]
    labels = np.array([[g in world.genres[i] for g in GENRES] for i in rows]).astype(int)
    area = reference.average_precision(labels, sigmoid(coarse.logits)[rows])
    test = metrics["splits"]["test"]
    assert test["coarse"]["ap"]["weighted"] == pytest.approx(area.weighted, abs=1e-6)
    assert test["coarse"]["trailers"] == len(rows)
    assert test["coarse"]["per_genre"]["War"]["f1"] is None
    assert test["random"]["ap"]["macro"] == pytest.approx(labels[:, :3].mean(), abs=1e-6)
    assert {"coarse", "fine", "sequence", "random"} < set(test)


def test_figures_lie_within_their_intervals(metrics: dict[str, Any]) -> None:
    test = {name: record for name, record in metrics["splits"]["test"].items() if name != "random"}
    for record in test.values():
        for quantity in ("f1", "precision", "recall", "ap"):
            low, high = record["interval"][quantity]["weighted"]
            assert low <= record[quantity]["weighted"] <= high
            assert low < high or low in (0, 1)
    for space in ("untrained", "whitened", "coarse", "fine"):
        for entry in metrics["spaces"][space]["all"]["agreement"].values():
            assert entry["interval"][0] <= entry["observed"] <= entry["interval"][1]
    assert not any("interval" in record for record in metrics["splits"]["train"].values())


def test_the_same_film_is_no_neighbour(world: World, tmp_path: Path) -> None:
    splits = pq.read_table(world.inputs["splits"])
    at = splits.column_names.index("group_id")
    films = [f"film {number // 2}" for number in range(len(splits))]
    pq.write_table(splits.set_column(at, "group_id", [films]), tmp_path / "splits.parquet")
    (tmp_path / "out").mkdir()
    inputs = {**world.inputs, "splits": tmp_path / "splits.parquet"}
    evaluate_item(**inputs, params=PARAMS, out=tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "explorer.parquet")
    for space in ("coarse", "fine"):
        for query, near in enumerate(table[f"{space}_near"].to_pylist()):
            assert len(near) == PARAMS.neighbours
            assert query // 2 not in {other // 2 for other in near}


def test_the_trained_model_beats_chance(metrics: dict[str, Any]) -> None:
    test = metrics["splits"]["test"]
    assert test["coarse"]["ap"]["weighted"] > test["random"]["ap"]["weighted"] + 0.1
    agreement = metrics["spaces"]["coarse"]["all"]["agreement"]["primary_genre"]
    assert agreement["observed"] > agreement["chance"] + 0.1


def test_the_explorer_has_neighbours_and_time(world: World, coarse: Embedded) -> None:
    table = pq.read_table(world.layout.evaluation / "explorer.parquet")
    found = retrieval.neighbours(coarse.trailer, PARAMS.neighbours)
    assert table["coarse_near"].to_pylist() == found.index.tolist()
    assert table["genres"][1].as_py() == [1, 2]
    for row in range(len(table)):
        spans = table["sequence_spans"][row].as_py()
        values = table["sequence_probabilities"][row].as_py()
        assert len(spans) == len(values) + 1
        assert spans == sorted(spans)
        lengths = np.bincount(coarse.sequence_trailer)
        assert len(values) == lengths[row]
    clips = pq.read_table(world.layout.features / "clips")
    last = {r["trailer_id"]: r["stop_s"] for r in clips.sort_by("clip").to_pylist()}
    assert [s[-1] for s in table["sequence_spans"].to_pylist()] == [last[i] for i in world.ids]


def test_maps_and_histories_can_be_plotted(world: World) -> None:
    folder = world.layout.evaluation / "plots"
    header, *rows = (folder / "fine_map.csv").read_text().splitlines()
    assert header == "trailer_id,x,y,genre"
    assert len(rows) == 48 and rows[0].startswith("t000,") and rows[0].endswith(",Action")
    assert len((folder / "coarse_training.csv").read_text().splitlines()) == 16
    assert (folder / "fine_training.csv").read_text().splitlines()[0].startswith("epoch")
