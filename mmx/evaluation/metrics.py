"""The metrics of section 4.2: pure functions on arrays, computed by scikit-learn.

In all functions `labels` is N x G of 0 and 1 and `scores` is N x G, for G genres. For a genre
without positives, precision, recall and area are None, not 0, and the genre is left out of
averages. Average precision is the step-wise sum; the trapezoid area is given too, since papers use
either (and either may be larger).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    auc,
    average_precision_score,
    precision_recall_curve,
    precision_recall_fscore_support,
)

Labels = NDArray[np.integer] | NDArray[np.bool_]
Scores = NDArray[np.floating]
Area = Callable[[Labels, Scores], float]


@dataclass(frozen=True)
class Averages:
    """One quantity per genre and its three averages; all in 0..1 or None where undefined."""

    per_genre: tuple[float | None, ...]
    """In the order of the columns."""
    micro: float | None
    """Over all N x G decisions: frequent genres weigh more."""
    macro: float | None
    """Mean over the genres that have positives: all weigh the same."""
    weighted: float | None
    """Mean over genres, weighted by their number of positives."""


@dataclass(frozen=True)
class Decisions:
    """Precision, recall and F1 of labels assigned at a threshold."""

    precision: Averages
    recall: Averages
    f1: Averages


@dataclass(frozen=True)
class Curve:
    """A precision-recall curve: points in the order of increasing recall."""

    recall: tuple[float, ...]
    precision: tuple[float, ...]


def _checked(labels: Labels, scores: Scores) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return both as numpy arrays; raise ValueError unless both are finite and N x G."""
    truth, values = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if truth.ndim != 2 or truth.shape != values.shape:
        raise ValueError(f"labels and scores must be N x G: {truth.shape} and {values.shape}")
    if not np.isin(truth, (0, 1)).all():
        raise ValueError("labels must be 0 or 1")
    if not np.isfinite(values).all():
        raise ValueError("scores must be finite")
    return truth.astype(np.int64), values


def support(labels: Labels) -> tuple[int, ...]:
    """Return the number of positives of each genre."""
    return tuple(int(count) for count in np.asarray(labels).sum(axis=0))


def _mean(values: Sequence[float | None], weights: Sequence[int]) -> float | None:
    """Return the weighted mean of the values that are not None, or None if there are none."""
    pairs = [(v, w) for v, w in zip(values, weights, strict=True) if v is not None and w]
    if not pairs:
        return None
    return float(sum(v * w for v, w in pairs) / sum(w for _, w in pairs))


def _averages(per_genre: Sequence[float | None], micro: float | None, labels: Labels) -> Averages:
    """Compute the three averages of a quantity."""
    macro = _mean(per_genre, [1] * len(per_genre))
    return Averages(tuple(per_genre), micro, macro, _mean(per_genre, support(labels)))


def _areas(labels: Labels, scores: Scores, area: Area) -> Averages:
    """Apply an area under the curve to every genre and to all decisions together."""
    truth, values = _checked(labels, scores)
    per_genre = [
        float(area(truth[:, g], values[:, g])) if truth[:, g].any() else None
        for g in range(truth.shape[1])
    ]
    micro = float(area(truth.ravel(), values.ravel())) if truth.any() else None
    return _averages(per_genre, micro, truth)


def _trapezoid(labels: Labels, scores: Scores) -> float:
    """Return the trapezoid area under one precision-recall curve."""
    precision, recall, _ = precision_recall_curve(labels, scores)
    return float(auc(recall, precision))


def average_precision(labels: Labels, scores: Scores) -> Averages:
    """Return average precision, the step-wise AU(PRC) of section 4.2."""
    return _areas(labels, scores, average_precision_score)


def trapezoid_area(labels: Labels, scores: Scores) -> Averages:
    """Return the area under the linearly interpolated precision-recall curve."""
    return _areas(labels, scores, _trapezoid)


def decisions(labels: Labels, scores: Scores, threshold: float) -> Decisions:
    """Return precision, recall and F1 of the labels with a score above `threshold`.

    A genre that has positives and is never predicted has precision 0, as in the paper's Table 2.
    """
    truth, values = _checked(labels, scores)
    predicted = values > threshold
    per_genre = [_decide(truth[:, g], predicted[:, g]) for g in range(truth.shape[1])]
    micro = _decide(truth.ravel(), predicted.ravel())
    return Decisions(
        *(_averages([genre[q] for genre in per_genre], micro[q], truth) for q in range(len(micro)))
    )


def _decide(truth: Labels, predicted: Labels) -> tuple[float | None, ...]:
    """Return precision, recall and F1 of one genre; None without positives."""
    if not truth.any():
        return None, None, None
    found = precision_recall_fscore_support(truth, predicted, average="binary", zero_division=0)
    return tuple(float(value) for value in found[:3])


def prevalence(labels: Labels) -> Averages:
    """Return the share of positives: the expected AU(PRC) of random scores."""
    truth = np.asarray(labels).astype(np.int64)
    count = len(truth)
    per_genre = [positives / count if positives else None for positives in support(truth)]
    return _averages(per_genre, float(truth.mean()) if truth.any() else None, truth)


def every_genre(labels: Labels) -> Decisions:
    """Return the random row of Table 2: every genre predicted for every trailer.

    Precision is the prevalence p, recall 1 and F1 = 2p / (1 + p).
    """
    return decisions(labels, np.ones(np.shape(labels)), threshold=0.0)


def curve(labels: Labels, scores: Scores, points: int = 101) -> Curve | None:
    """Return the precision-recall curve of one genre or of all decisions, at `points` recalls.

    The recalls are equally spaced; the precision is the best at that recall or higher, so that the
    curve never rises. None without positives.
    """
    if not np.any(labels):
        return None
    precision, recall, _ = precision_recall_curve(np.ravel(labels), np.ravel(scores))
    # The last point, recall 0 with precision 1, is not that of a threshold.
    best, recall = np.maximum.accumulate(precision[:-1])[::-1], recall[-2::-1]
    grid = np.linspace(0.0, 1.0, points)
    at = np.searchsorted(recall, grid - 1e-12)
    return Curve(tuple(grid.tolist()), tuple(best[at].tolist()))
