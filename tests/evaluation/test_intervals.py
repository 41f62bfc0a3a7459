import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_fscore_support

from mmx.evaluation import intervals

RNG = np.random.default_rng(8)
LABELS = (RNG.random((30, 4)) < (0.2, 0.4, 0.6, 0.0)).astype(int)
"""The last genre has no positives."""
SCORES = np.round(RNG.random((30, 4)) + 0.4 * LABELS, 1)
"""Rounded, so that there are ties."""
GENRES = ["a", "b", "c", "d"]
FILMS = [f"film {i // 2}" for i in range(30)]


def bounds(figures: list[float]) -> list[float]:
    return [float(bound) for bound in np.percentile(figures, [2.5, 97.5])]


def test_a_drawing_has_whole_films() -> None:
    draws = intervals.draw_films(FILMS, 50, seed=1)
    assert draws.shape == (50, 30)
    assert (draws[:, ::2] == draws[:, 1::2]).all()
    assert (draws.sum(axis=1) == 30).all()
    assert len(np.unique(draws, axis=0)) > 40
    assert draws.tobytes() == intervals.draw_films(FILMS, 50, seed=1).tobytes()
    assert intervals.draw_films([], 3, seed=0).shape == (3, 0)


@pytest.mark.parametrize("block", [100, 2_000_000])
def test_intervals_equal_those_of_repeated_trailers(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(intervals, "BLOCK", block)
    draws = intervals.draw_films(FILMS, 40, seed=2)
    found = intervals.score_interval(LABELS, SCORES, GENRES, 0.6, draws)
    kept = [np.repeat(np.arange(30), row.astype(int)) for row in draws]
    areas, marks = [], []
    for rows in kept:
        truth, values = LABELS[rows][:, :3], SCORES[rows][:, :3]
        areas.append([average_precision_score(truth, values, average=a) for a in
                      ("micro", "macro", "weighted")])  # fmt: skip
        marks.append(precision_recall_fscore_support(
            truth, values > 0.6, average="weighted", zero_division=0)[:3])  # fmt: skip
    for place, average in enumerate(("macro", "weighted"), start=1):
        expected = bounds([area[place] for area in areas])
        assert found["ap"][average] == pytest.approx(expected, abs=1e-6)
    for place, quantity in enumerate(("precision", "recall", "f1")):
        expected = bounds([mark[place] for mark in marks])
        assert found[quantity]["weighted"] == pytest.approx(expected, abs=1e-6)
    single = [average_precision_score(LABELS[rows, 1], SCORES[rows, 1]) for rows in kept]
    assert found["per_genre"]["b"]["ap"] == pytest.approx(bounds(single), abs=1e-6)
    assert found["per_genre"]["d"] == dict.fromkeys(intervals.QUANTITIES)
    everything = [average_precision_score(LABELS[rows].ravel(), SCORES[rows].ravel())
                  for rows in kept]  # fmt: skip
    assert found["ap"]["micro"] == pytest.approx(bounds(everything), abs=1e-6)


def test_the_interval_of_a_mean_is_that_of_the_textbook() -> None:
    values = RNG.normal(size=400)
    draws = intervals.draw_films(range(400), 4000, seed=3)
    low, high = intervals.mean_interval(values, draws) or (0.0, 0.0)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.15 * half)


def test_the_films_of_a_kind_widen_the_interval() -> None:
    values = np.repeat(RNG.normal(size=50), 8)
    by_film = intervals.mean_interval(values, intervals.draw_films(
        [i // 8 for i in range(400)], 500, seed=0))  # fmt: skip
    alone = intervals.mean_interval(values, intervals.draw_films(range(400), 500, seed=0))
    assert by_film is not None and alone is not None
    assert by_film[1] - by_film[0] > 2 * (alone[1] - alone[0])


def test_without_trailers_there_is_no_interval() -> None:
    assert intervals.mean_interval(np.zeros(0), np.zeros((5, 0))) is None
