"""Bootstrap intervals by film: how far a figure would move with other films of the same kind.

Films are drawn with replacement, each with all its trailers. A drawing is a row of weights: how
often each trailer was drawn. The interval is that of the middle 95 % of the drawings.
"""

from collections.abc import Hashable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mmx.evaluation.scores import AVERAGES, Json, rounded

Floats = NDArray[np.float64]
Draws = NDArray[np.float64]
QUANTITIES = ("f1", "precision", "recall", "ap")
BOUNDS = (2.5, 97.5)
"""Percentiles."""
BLOCK = 2_000_000
"""Weights that are summed at once."""


def draw_films(films: Sequence[Hashable], count: int, seed: int) -> Draws:
    """Return `count` drawings of the trailers, count x N, from the film of each of N trailers."""
    codes = {film: code for code, film in enumerate(dict.fromkeys(films))}
    if not codes:
        return np.zeros((count, 0))
    shares = np.full(len(codes), 1 / len(codes))
    drawn = np.random.default_rng(seed).multinomial(len(codes), shares, size=count)
    return drawn[:, [codes[film] for film in films]].astype(np.float64)


def interval(figures: Floats) -> list[float] | None:
    """Return the lower and the upper bound of a figure over drawings, those undefined left out."""
    known = figures[np.isfinite(figures)]
    return rounded(np.percentile(known, BOUNDS).tolist()) if len(known) else None


def mean_interval(values: NDArray[np.floating], draws: Draws) -> list[float] | None:
    """Return the interval of the mean of one value per trailer."""
    return interval(_ratio(draws @ np.asarray(values, dtype=np.float64), draws.sum(axis=1)))


def score_interval(
    labels: NDArray[np.integer],
    scores: Floats,
    genres: Sequence[str],
    threshold: float,
    draws: Draws,
) -> Json:
    """Return the intervals of F1, precision, recall and average precision, [lower, upper] each.

    In the form of `scores.score`: by average and per genre; None where undefined in every drawing.

    Args:
        labels: N x G, 0 or 1.
        scores: N x G.
        genres: G names.
        threshold: a genre is predicted above it.
        draws: B x N weights.
    """
    single = [
        _figures(labels[:, [g]], scores[:, [g]], threshold, draws) for g in range(len(genres))
    ]
    micro = _figures(labels, scores, threshold, draws)
    support = draws @ labels
    found: Json = {}
    for quantity in QUANTITIES:
        values = np.stack([genre[quantity] for genre in single], axis=1)
        averages = (micro[quantity], *_averages(values, support))
        found[quantity] = {a: interval(f) for a, f in zip(AVERAGES, averages, strict=True)}
    found["per_genre"] = {
        genre: {quantity: interval(figures[quantity]) for quantity in QUANTITIES}
        for genre, figures in zip(genres, single, strict=True)
    }
    return found


def _averages(values: Floats, support: Floats) -> tuple[Floats, Floats]:
    """Return the macro and the weighted mean over the genres that a drawing has, B each."""
    known = np.where(np.isnan(values), 0.0, values)
    macro = _ratio(known.sum(axis=1), (support > 0).sum(axis=1).astype(np.float64))
    return macro, _ratio((known * support).sum(axis=1), support.sum(axis=1))


def _figures(
    labels: NDArray[np.integer], scores: Floats, threshold: float, draws: Draws
) -> dict[str, Floats]:
    """Return each quantity of all N x M decisions together in every drawing, B each."""
    truth, values, width = labels.ravel(), scores.ravel(), labels.shape[1]
    blocks = [
        (*_decisions(truth, values > threshold, weights), _area(truth, values, weights))
        for weights in _weights(draws, width)
    ]
    return dict(zip(QUANTITIES, map(np.concatenate, zip(*blocks, strict=True)), strict=True))


def _weights(draws: Draws, width: int) -> Iterator[Draws]:
    """Yield the weights of every decision, some drawings at a time."""
    step = max(BLOCK // max(draws.shape[1] * width, 1), 1)
    for start in range(0, len(draws), step):
        yield np.repeat(draws[start : start + step], width, axis=1)


def _decisions(
    truth: NDArray[np.integer], predicted: NDArray[np.bool_], weights: Draws
) -> tuple[Floats, Floats, Floats]:
    """Return F1, precision and recall in every drawing; NaN without positives."""
    hits, chosen, positives = (weights @ marks for marks in (truth * predicted, predicted, truth))
    precision = np.where(positives > 0, _ratio(hits, chosen, empty=0.0), np.nan)
    f1 = np.where(positives > 0, _ratio(2 * hits, chosen + positives), np.nan)
    return f1, precision, _ratio(hits, positives)


def _area(truth: NDArray[np.integer], scores: Floats, weights: Draws) -> Floats:
    """Return average precision, the step-wise area, in every drawing; NaN without positives."""
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    ordered = weights[:, order]
    hits = np.cumsum(ordered * truth[order], axis=1)[:, last]
    precision = _ratio(hits, np.cumsum(ordered, axis=1)[:, last], empty=0.0)
    gained = np.diff(hits, axis=1, prepend=0.0)
    return _ratio((gained * precision).sum(axis=1), hits[:, -1])


def _ratio(above: Floats, below: Floats, empty: float = np.nan) -> Floats:
    """Divide element by element; `empty` where there is nothing to divide by."""
    out = np.full(np.shape(above), empty)
    np.divide(above, below, out=out, where=below > 0)
    return out
