import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mmx.evaluation import baselines

RNG = np.random.default_rng(6)
LABELS = np.stack([np.arange(40) % 2, np.arange(40) % 3 == 0, np.zeros(40)], axis=1).astype(int)
VECTORS = LABELS @ RNG.normal(size=(3, 8)) * 3 + RNG.normal(size=(40, 8))
TRAIN = np.arange(30)
FILMS = [i // 2 for i in range(40)]


def test_the_nearest_of_other_films_vote() -> None:
    found = baselines.vote(VECTORS, LABELS, TRAIN, FILMS, 5)
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    for query in (3, 35):
        others = [i for i in TRAIN if FILMS[i] != FILMS[query]]
        near = sorted(others, key=lambda i: -float(unit[query] @ unit[i]))[:5]
        assert found[query] == pytest.approx(LABELS[near].mean(axis=0))


def test_without_another_film_nobody_votes() -> None:
    assert not baselines.vote(VECTORS, LABELS, TRAIN, ["one"] * 40, 5).any()


def test_regression_is_scikit_learns_on_scaled_features() -> None:
    found = baselines.regress(VECTORS, LABELS, TRAIN)
    known = VECTORS[TRAIN]
    scaled = (VECTORS - known.mean(axis=0)) / known.std(axis=0)
    model = LogisticRegression(C=baselines.STRENGTH, max_iter=1000)
    model.fit(scaled[TRAIN], LABELS[TRAIN, 0])
    assert found[:, 0] == pytest.approx(model.predict_proba(scaled)[:, 1], abs=1e-6)
    assert not found[:, 2].any()


def test_labels_of_held_out_trailers_are_not_read() -> None:
    other = LABELS.copy()
    other[30:] = 1 - other[30:]
    for first, second in (
        (baselines.regress(VECTORS, LABELS, TRAIN), baselines.regress(VECTORS, other, TRAIN)),
        (
            baselines.vote(VECTORS, LABELS, TRAIN, FILMS, 5),
            baselines.vote(VECTORS, other, TRAIN, FILMS, 5),
        ),
    ):
        assert first.tobytes() == second.tobytes()
