import copy
import json
from typing import Any

import numpy as np
from small_world import GENRES, PARAMS, World

from mmx.evaluation import clusters, measures, retrieval
from mmx.evaluation.subject import mean_sequences, read_subject


def test_a_space_is_measured_by_every_grouping() -> None:
    rng = np.random.default_rng(1)
    vectors, labels = rng.normal(size=(20, 5)), (rng.random((20, 3)) < 0.5).astype(int)
    groups = {"style": [i % 4 for i in range(20)], "one": [0] * 20}
    found = measures.measure_space(vectors, labels, groups, 3)
    near = retrieval.neighbours(vectors, 3)
    assert found["trailers"] == 20
    expected = clusters.silhouette(vectors, groups["style"])
    assert expected is not None
    assert found["silhouette"] == {"style": round(expected, 6), "one": None}
    agreement = retrieval.group_agreement(near, groups["style"])
    assert agreement is not None
    assert found["agreement"]["style"]["observed"] == round(agreement.observed, 6)
    assert found["agreement"]["one"] == {"observed": 1.0, "chance": 1.0}
    assert set(found["agreement"]) == {"any_label", "style", "one"}


def test_a_lone_trailer_has_no_agreement() -> None:
    found = measures.measure_space(np.ones((1, 2)), np.ones((1, 1), int), {"g": ["a"]}, 3)
    assert found["silhouette"] == {"g": None}
    assert found["agreement"] == {"any_label": None, "g": None}


def test_the_subject_has_labels_and_sequences(world: World) -> None:
    subject = read_subject(**world.inputs, params=PARAMS)
    assert subject.names == world.genres
    assert subject.sets[5] == ("Action", "Drama") and subject.names[5] == ["Drama", "Action"]
    assert subject.labels[5] == [GENRES.index("Drama"), GENRES.index("Action")]
    mean, logits = mean_sequences(subject.coarse), subject.coarse.sequence_logits
    assert mean is not None and logits is not None
    own = subject.coarse.sequence_trailer == 7
    expected = logits[own].mean(axis=0)
    np.testing.assert_allclose(mean[7], expected, rtol=1e-6)


def test_both_spaces_are_measured_on_all_and_on_held_out(metrics: dict[str, Any]) -> None:
    for space in metrics["spaces"].values():
        assert (space["all"]["trailers"], space["test"]["trailers"]) == (48, 12)
    assert -1 <= metrics["similarity"]["before"] <= 1


def test_the_summary_has_a_short_row_per_model(world: World, metrics: dict[str, Any]) -> None:
    folder = world.layout.evaluation / "summary"
    rows = {path.stem: json.loads(path.read_text()) for path in folder.iterdir()}
    assert set(rows) == {"coarse", "fine", "random"}
    overall = {"ap_micro", "ap_macro", "ap_weighted"}
    overall |= {f"{quantity}_weighted" for quantity in ("f1", "precision", "recall")}
    silhouettes = {"silhouette_primary_genre", "silhouette_genre_set"}
    assert set(rows["random"]) == overall
    for name in ("coarse", "fine"):
        assert set(rows[name]) == overall | silhouettes
        record = metrics["splits"]["test"][name]
        assert rows[name]["ap_macro"] == record["ap"]["macro"]
        assert rows[name]["recall_weighted"] == record["recall"]["weighted"]
    silhouette = metrics["spaces"]["fine"]["all"]["silhouette"]["genre_set"]
    assert rows["fine"]["silhouette_genre_set"] == silhouette


def test_what_is_undefined_is_left_out_of_the_summary(metrics: dict[str, Any]) -> None:
    lone = copy.deepcopy(metrics)
    lone["spaces"]["coarse"]["all"]["silhouette"]["genre_set"] = None
    assert "silhouette_genre_set" not in measures.summarise(lone)["coarse"]
