"""The metrics of one model on one split as JSON data, for reports and tables."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmx.evaluation import metrics
from mmx.evaluation.metrics import Averages, Labels, Scores

Json = dict[str, Any]
AVERAGES = ("micro", "macro", "weighted")
QUANTITIES = ("f1", "precision", "recall", "ap", "area")
"""F1, precision and recall at the threshold; average precision; trapezoid area."""


def sigmoid(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return probabilities in double precision, for logits of any size."""
    return 1.0 / (1.0 + np.exp(-np.clip(np.asarray(logits, dtype=np.float64), -500, 500)))


def score(labels: Labels, scores: Scores, genres: Sequence[str], threshold: float) -> Json:
    """Return every metric of section 4.2 of N x G scores, per genre and averaged.

    Numbers are in 0..1 and rounded to six decimals; None where undefined.
    """
    at = metrics.decisions(labels, scores, threshold)
    areas = metrics.average_precision(labels, scores), metrics.trapezoid_area(labels, scores)
    return _record(labels, genres, (at.f1, at.precision, at.recall, *areas))


def score_random(labels: Labels, genres: Sequence[str]) -> Json:
    """Return the same for the random baseline: every genre predicted, areas at the prevalence."""
    at = metrics.every_genre(labels)
    area = metrics.prevalence(labels)
    return _record(labels, genres, (at.f1, at.precision, at.recall, area, area))


def precision_recall(labels: Labels, scores: Scores, genres: Sequence[str]) -> Json:
    """Return the precision-recall curve of every genre with positives, and of `all` together."""
    found = {"all": metrics.curve(labels, scores)}
    found |= {g: metrics.curve(labels[:, i], scores[:, i]) for i, g in enumerate(genres)}
    return {
        name: {"recall": rounded(line.recall), "precision": rounded(line.precision)}
        for name, line in found.items()
        if line is not None
    }


def summarise(runs: Sequence[Json]) -> tuple[Json, Json]:
    """Return mean and sample standard deviation of records of equal shape, number by number.

    A number that is None in any run is None in both; the deviation of one run is None.
    """
    mean = _combine(runs, lambda values: float(np.mean(values)))
    deviation = _combine(
        runs, lambda values: float(np.std(values, ddof=1)) if len(values) > 1 else None
    )
    return mean, deviation


def rounded(value: Any) -> Any:
    """Round every float of JSON data to six decimals."""
    if isinstance(value, Mapping):
        return {key: rounded(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(entry) for entry in value]
    return round(float(value), 6) if isinstance(value, float) else value


def _record(labels: Labels, genres: Sequence[str], quantities: Sequence[Averages]) -> Json:
    """Build a record of the quantities, by average and by genre."""
    named = dict(zip(QUANTITIES, quantities, strict=True))
    record: Json = {"trailers": len(labels)}
    record |= {q: {a: getattr(v, a) for a in AVERAGES} for q, v in named.items()}
    record["per_genre"] = {
        genre: {"support": positives} | {q: v.per_genre[g] for q, v in named.items()}
        for g, (genre, positives) in enumerate(zip(genres, metrics.support(labels), strict=True))
    }
    averaged: Json = rounded(record)
    return averaged


def _combine(runs: Sequence[Any], reduce: Callable[[list[float]], float | None]) -> Any:
    """Reduce records of equal shape to one record."""
    first = runs[0]
    if isinstance(first, Mapping):
        return {key: _combine([run[key] for run in runs], reduce) for key in first}
    if isinstance(first, list):
        return [_combine(entries, reduce) for entries in zip(*runs, strict=True)]
    return None if any(run is None for run in runs) else rounded(reduce(list(runs)))
