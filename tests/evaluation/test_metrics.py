from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mmx.evaluation import metrics

RNG = np.random.default_rng(11)
LABELS = (RNG.random((40, 5)) < (0.1, 0.3, 0.5, 0.7, 0.0)).astype(int)
"""The last genre has no positives."""
SCORES = np.round(RNG.random((40, 5)) + 0.4 * LABELS, 1)
"""Rounded, so that there are ties."""


def naive_points(labels: np.ndarray, scores: np.ndarray) -> list[tuple[float, float]]:
    """(recall, precision) at every distinct threshold, the highest first."""
    points = []
    for threshold in sorted(set(scores.tolist()), reverse=True):
        chosen = [label for label, score in zip(labels, scores, strict=True) if score >= threshold]
        points.append((sum(chosen) / labels.sum(), sum(chosen) / len(chosen)))
    return points


def naive_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    area, before = 0.0, 0.0
    for recall, precision in naive_points(labels, scores):
        area += (recall - before) * precision
        before = recall
    return area


def naive_trapezoid(labels: np.ndarray, scores: np.ndarray) -> float:
    area, before = 0.0, (0.0, 1.0)
    for point in naive_points(labels, scores):
        area += (point[0] - before[0]) * (point[1] + before[1]) / 2
        before = point
    return area


@pytest.mark.parametrize(
    ("area", "naive"),
    [
        (metrics.average_precision, naive_precision),
        (metrics.trapezoid_area, naive_trapezoid),
    ],
)
def test_areas_equal_a_naive_computation(
    area: Callable[..., Any], naive: Callable[..., Any]
) -> None:
    found = area(LABELS, SCORES)
    expected = [naive(LABELS[:, g], SCORES[:, g]) for g in range(4)]
    support = LABELS.sum(axis=0)[:4]
    assert found.per_genre[:4] == pytest.approx(expected, abs=1e-12)
    assert found.macro == pytest.approx(np.mean(expected), abs=1e-12)
    assert found.weighted == pytest.approx(np.average(expected, weights=support), abs=1e-12)
    assert found.micro == pytest.approx(naive(LABELS.ravel(), SCORES.ravel()), abs=1e-12)


def test_decisions_equal_a_naive_count() -> None:
    found = metrics.decisions(LABELS, SCORES, 0.6)
    predicted = SCORES > 0.6
    for g in range(4):
        hits = sum(p and y for p, y in zip(predicted[:, g], LABELS[:, g], strict=True))
        precision, recall = hits / predicted[:, g].sum(), hits / LABELS[:, g].sum()
        assert found.precision.per_genre[g] == pytest.approx(precision)
        assert found.recall.per_genre[g] == pytest.approx(recall)
        assert found.f1.per_genre[g] == pytest.approx(2 * precision * recall / (precision + recall))
    hits = (predicted & (LABELS == 1)).sum()
    assert found.precision.micro == pytest.approx(hits / predicted.sum())
    assert found.recall.micro == pytest.approx(hits / LABELS.sum())
    weights = LABELS.sum(axis=0)[:4]
    assert found.f1.weighted == pytest.approx(
        np.average(np.array(found.f1.per_genre[:4], float), weights=weights)
    )


def test_a_score_at_the_threshold_is_no_prediction() -> None:
    found = metrics.decisions(np.array([[1], [1]]), np.array([[0.3], [0.31]]), 0.3)
    assert found.recall.per_genre == (0.5,)


def test_a_genre_without_positives_is_none_and_counts_in_no_average() -> None:
    at = metrics.decisions(LABELS, SCORES, 0.3)
    without = metrics.decisions(LABELS[:, :4], SCORES[:, :4], 0.3)
    quantities = [at.f1, at.precision, at.recall]
    areas = [metrics.average_precision(LABELS, SCORES), metrics.prevalence(LABELS)]
    assert [q.per_genre[4] for q in [*quantities, *areas]] == [None] * 5
    assert at.f1.macro == without.f1.macro
    assert areas[0].macro == metrics.average_precision(LABELS[:, :4], SCORES[:, :4]).macro


def test_without_any_positive_everything_is_none() -> None:
    labels, scores = np.zeros((3, 2), int), np.ones((3, 2))
    for found in (
        metrics.average_precision(labels, scores),
        metrics.decisions(labels, scores, 0.3).f1,
        metrics.prevalence(labels),
    ):
        assert (found.micro, found.macro, found.weighted) == (None, None, None)
        assert found.per_genre == (None, None)


def test_an_empty_split_has_no_figures() -> None:
    labels, scores = np.zeros((0, 2), int), np.zeros((0, 2))
    assert metrics.average_precision(labels, scores).macro is None
    assert metrics.decisions(labels, scores, 0.3).f1.weighted is None
    assert metrics.every_genre(labels).f1.micro is None


def test_a_genre_never_predicted_scores_zero() -> None:
    found = metrics.decisions(np.array([[1], [0]]), np.array([[0.1], [0.1]]), 0.3)
    assert found.precision.per_genre == found.f1.per_genre == (0.0,)


def test_every_genre_has_the_closed_form() -> None:
    found = metrics.every_genre(LABELS)
    p = LABELS.mean(axis=0)[:4]
    assert found.precision.per_genre[:4] == pytest.approx(p)
    assert found.recall.per_genre[:4] == (1.0,) * 4
    assert found.f1.per_genre[:4] == pytest.approx(2 * p / (1 + p))


def test_the_prevalence_is_the_average_precision_of_equal_scores() -> None:
    labels = LABELS[:, :4]
    known = metrics.prevalence(labels)
    equal = metrics.average_precision(labels, np.full(labels.shape, 0.5))
    assert known.per_genre == pytest.approx(equal.per_genre)
    assert (known.micro, known.weighted) == pytest.approx((equal.micro, equal.weighted))


def test_perfect_scores_have_area_one() -> None:
    found = metrics.average_precision(LABELS[:, :4], LABELS[:, :4].astype(float))
    assert (found.micro, found.macro, found.weighted) == (1.0, 1.0, 1.0)


def test_the_curve_is_the_best_precision_at_a_recall_or_beyond() -> None:
    labels, scores = LABELS[:, 1], SCORES[:, 1]
    found = metrics.curve(labels, scores, points=201)
    assert found is not None
    assert found.recall[0] == 0.0 and found.recall[-1] == 1.0
    assert (np.diff(found.precision) <= 0).all()
    best = [max(p for r, p in naive_points(labels, scores) if r >= x - 1e-9) for x in found.recall]
    assert found.precision == pytest.approx(best)


def test_a_curve_without_positives_is_none() -> None:
    assert metrics.curve(LABELS[:, 4], SCORES[:, 4]) is None


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        (np.zeros((2, 2)), np.zeros((2, 3)), "N x G"),
        (np.zeros(2), np.zeros(2), "N x G"),
        (np.full((1, 1), 2), np.zeros((1, 1)), "0 or 1"),
        (np.zeros((1, 1)), np.full((1, 1), np.nan), "finite"),
    ],
)
def test_wrong_arguments_are_refused(labels: np.ndarray, scores: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.average_precision(labels, scores)
