"""The report's figures by other code: scikit-learn on predictions.parquet alone."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.metrics import average_precision_score, precision_recall_fscore_support
from small_world import GENRES, PARAMS, World

from mmx.evaluation.subject import read_subject
from mmx.training.load import load_network

AVERAGES = ("micro", "macro", "weighted")


@pytest.fixture(scope="module")
def table(world: World) -> pd.DataFrame:
    return pd.read_parquet(world.layout.evaluation / "predictions.parquet")


def truth(world: World, trailers: pd.Index) -> np.ndarray:
    known = dict(zip(world.ids, world.genres, strict=True))
    return np.array([[int(genre in known[name]) for genre in GENRES] for name in trailers])


def test_every_model_has_a_probability_of_every_genre(world: World, table: pd.DataFrame) -> None:
    models = ["coarse", "fine", "sequence"]
    models += [f"nearest_{name}" for name in ("untrained", "whitened", "coarse", "fine")]
    models += [f"logistic_{name}" for name in ("appearance", "audio", "joined")]
    assert table["model"].unique().tolist() == models
    assert len(table) == len(models) * len(world.ids) * len(GENRES)
    assert not table.duplicated(["trailer_id", "model", "genre"]).any()
    assert table["probability"].between(0, 1).all()


def test_metrics_equal_those_of_other_code(
    world: World, table: pd.DataFrame, metrics: dict[str, Any]
) -> None:
    splits = pd.read_parquet(world.inputs["splits"]).set_index("trailer_id")["split"]
    for model, rows in table.groupby("model"):
        wide = rows.pivot(index="trailer_id", columns="genre", values="probability")[GENRES]
        for split in ("train", "validation", "test"):
            values = wide[splits[wide.index] == split]
            labels = truth(world, values.index)
            known = labels.any(axis=0)
            record = metrics["splits"][split][str(model)]
            for average in AVERAGES:
                chosen = np.ones(len(GENRES), bool) if average == "micro" else known
                area = average_precision_score(
                    labels[:, chosen], values.to_numpy()[:, chosen], average=average
                )
                assert record["ap"][average] == pytest.approx(area, abs=1e-6)
                marks = precision_recall_fscore_support(
                    labels[:, chosen],
                    values.to_numpy()[:, chosen] > PARAMS.threshold,
                    average=average,
                    zero_division=0,
                )
                for quantity, mark in zip(("precision", "recall", "f1"), marks, strict=False):
                    assert record[quantity][average] == pytest.approx(mark, abs=1e-6)


def test_permuted_labels_give_chance(world: World, table: pd.DataFrame) -> None:
    rows = table[table["model"] == "coarse"]
    wide = rows.pivot(index="trailer_id", columns="genre", values="probability")[GENRES[:3]]
    labels, rng = truth(world, wide.index)[:, :3], np.random.default_rng(0)
    areas = [
        average_precision_score(rng.permutation(labels), wide.to_numpy(), average="micro")
        for _ in range(200)
    ]
    own = average_precision_score(labels, wide.to_numpy(), average="micro")
    assert np.mean(areas) == pytest.approx(labels.mean(), abs=0.04)
    assert own > np.percentile(areas, 99)


def test_every_clip_is_judged_on_its_own(world: World) -> None:
    found = pd.read_parquet(world.layout.evaluation / "clip_predictions.parquet")
    assert list(found.columns) == [
        "trailer_id", "clip", "start_s", "stop_s", "model", "genre", "probability"
    ]  # fmt: skip
    subject = read_subject(**world.inputs, params=PARAMS)
    network, collection = load_network(world.inputs["coarse"]), subject.collection
    wide = found.pivot(index=["trailer_id", "clip"], columns="genre", values="probability")[GENRES]
    assert len(wide) == collection.lengths.sum()
    for trailer in (0, 7):
        clip = int(collection.lengths[trailer]) - 1
        alone = collection.batch([collection.clips_of(trailer)[clip:]])
        with torch.inference_mode():
            logits = network(alone).sequence_logits
        assert logits is not None
        own = wide.loc[(collection.ids[trailer], clip), :].to_numpy(float)
        np.testing.assert_allclose(own, logits[0].sigmoid(), rtol=1e-4)
        rows = found[found["trailer_id"] == collection.ids[trailer]].drop_duplicates("clip")
        assert rows["start_s"].tolist() == [float(n) for n in range(clip + 1)]


def test_every_sequence_has_its_times_and_genres(world: World, table: pd.DataFrame) -> None:
    found = pd.read_parquet(world.layout.evaluation / "sequence_predictions.parquet")
    assert list(found.columns) == [
        "trailer_id", "sequence", "start_s", "stop_s", "model", "genre", "probability"
    ]  # fmt: skip
    explorer = pq.read_table(world.layout.evaluation / "explorer.parquet").to_pylist()
    for film in explorer[:5]:
        own = found[found["trailer_id"] == film["trailer_id"]]
        wide = own.pivot(index="sequence", columns="genre", values="probability")[GENRES]
        np.testing.assert_allclose(wide, film["sequence_probabilities"], rtol=1e-6)
        times = own.drop_duplicates("sequence")
        assert times["start_s"].tolist() == film["sequence_spans"][:-1]
        assert times["stop_s"].tolist()[-1] == film["sequence_spans"][-1]
