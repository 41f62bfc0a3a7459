import numpy as np
import pytest

from mmx.evaluation import metrics, scores

LABELS = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]])
CHANCES = np.array([[0.9, 0.2, 0.1], [0.4, 0.8, 0.1], [0.35, 0.6, 0.1], [0.1, 0.1, 0.9]])
GENRES = ["Action", "Drama", "War"]


def test_the_sigmoid_is_right_and_does_not_overflow() -> None:
    logits = np.array([-1e4, -2.0, 0.0, 2.0, 1e4])
    assert scores.sigmoid(logits)[1:4] == pytest.approx([0.119202922, 0.5, 0.880797078])
    assert scores.sigmoid(logits)[[0, 4]] == pytest.approx([0.0, 1.0])


def test_a_record_holds_every_metric() -> None:
    record = scores.score(LABELS, CHANCES, GENRES, 0.3)
    area = metrics.average_precision(LABELS, CHANCES)
    assert record["trailers"] == 4
    assert record["ap"]["macro"] == pytest.approx(area.macro, abs=1e-6)
    assert record["per_genre"]["Action"]["support"] == 2
    assert record["per_genre"]["Action"]["f1"] == pytest.approx(0.8)
    assert record["per_genre"]["War"] == {
        "support": 0, "f1": None, "precision": None, "recall": None, "ap": None, "area": None
    }  # fmt: skip


def test_the_random_baseline_scores_the_prevalence() -> None:
    record = scores.score_random(LABELS, GENRES)
    assert record["per_genre"]["Drama"]["ap"] == record["per_genre"]["Drama"]["area"] == 0.5
    assert record["recall"]["weighted"] == 1.0
    assert record["f1"]["weighted"] == pytest.approx(2 / 3, abs=1e-6)


def test_curves_leave_out_genres_without_positives() -> None:
    assert list(scores.precision_recall(LABELS, CHANCES, GENRES)) == ["all", "Action", "Drama"]


def test_a_summary_is_mean_and_deviation_number_by_number() -> None:
    runs = [{"a": 1.0, "b": [0.0, None]}, {"a": 2.0, "b": [1.0, 3.0]}, {"a": 6.0, "b": [2.0, 5.0]}]
    mean, deviation = scores.summarise(runs)
    assert mean == {"a": 3.0, "b": [1.0, None]}
    assert deviation == {"a": pytest.approx(7**0.5, abs=1e-6), "b": [1.0, None]}


def test_one_run_has_no_deviation() -> None:
    assert scores.summarise([{"a": 1.0}]) == ({"a": 1.0}, {"a": None})


def test_rounding_leaves_everything_but_floats() -> None:
    data = {"x": [1, "1.23456789", None, 1.23456789], "y": (True, np.float32(0.5))}
    assert scores.rounded(data) == {"x": [1, "1.23456789", None, 1.234568], "y": [True, 0.5]}
