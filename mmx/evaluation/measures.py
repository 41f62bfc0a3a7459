"""metrics.json: models and baselines on every split, and all spaces (sections 4.2 to 4.4)."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from mmx.evaluation import clusters, retrieval, scores
from mmx.evaluation.intervals import draw_films, mean_interval, score_interval
from mmx.evaluation.predictions import Probabilities
from mmx.evaluation.scores import Json
from mmx.evaluation.subject import Subject
from mmx.training.data import SPLITS


def measure(subject: Subject, predictions: Mapping[str, Probabilities]) -> Json:
    """Return all metrics as JSON data.

    `splits`: per split the record (see `scores.score`) of every entry of `predictions` and of the
    random baseline; on the test split each has its bootstrap intervals by film as `interval`.
    `spaces`: untrained, whitened, coarse and fine, over all trailers and over the held-out ones.
    `similarity`: section 4.4's cosine similarities.

    predictions: probabilities by model, of `predictions.predict_genres`.
    """
    return {
        "threshold": subject.params.threshold,
        "splits": {split: _measure_split(subject, predictions, split) for split in SPLITS},
        "spaces": {name: _both(subject, vectors) for name, vectors in subject.spaces.items()},
        "similarity": scores.rounded(_similarity(subject)),
    }


def _similarity(subject: Subject) -> Json:
    """Section 4.4's mean similarities within a genre set and of any two, in every space."""
    spaces, sets = subject.spaces, subject.sets
    trained = asdict(clusters.cohesion(spaces["coarse"], spaces["fine"], sets))
    plain = clusters.cohesion(spaces["untrained"], spaces["whitened"], sets)
    return {name: value for name, value in trained.items() if name != "sets"} | {
        "untrained": plain.before,
        "whitened": plain.after,
        "everyone_untrained": plain.everyone_before,
        "everyone_whitened": plain.everyone_after,
    }


def summarise(metrics: Json) -> dict[str, Json]:
    """Return the main figures of `measure`, by name of the row.

    `coarse`, `fine` and `random`: section 4.2's areas and weighted decisions on the test split;
    for the models also both silhouettes over all trailers. Undefined figures are left out.
    """
    test, spaces = metrics["splits"]["test"], metrics["spaces"]
    rows: dict[str, Json] = {
        name: {f"ap_{average}": test[name]["ap"][average] for average in scores.AVERAGES}
        | {f"{q}_weighted": test[name][q]["weighted"] for q in ("f1", "precision", "recall")}
        for name in ("coarse", "fine", "random")
    }
    for name in ("coarse", "fine"):
        found = spaces[name]["all"]["silhouette"].items()
        rows[name] |= {f"silhouette_{group}": value for group, value in found}
    return {
        name: {key: value for key, value in row.items() if value is not None}
        for name, row in rows.items()
    }


def _measure_split(subject: Subject, predictions: Mapping[str, Probabilities], split: str) -> Json:
    """Return the records of one split."""
    members = subject.collection.members(split)
    labels, threshold = subject.collection.labels[members], subject.params.threshold
    found = {
        name: scores.score(labels, rows[members], subject.genres, threshold)
        for name, rows in predictions.items()
    }
    if split == "test" and len(members):
        draws = _draw(subject, members)
        for name, record in found.items():
            rows = predictions[name][members]
            record["interval"] = score_interval(labels, rows, subject.genres, threshold, draws)
    return found | {"random": scores.score_random(labels, subject.genres)}


def _draw(subject: Subject, members: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return bootstrap drawings of some trailers, by film."""
    films = [subject.films[member] for member in members]
    return draw_films(films, subject.params.resamples, subject.params.seed)


def measure_space(
    vectors: NDArray[np.floating],
    labels: NDArray[np.integer],
    groups: Mapping[str, Sequence[Hashable]],
    k: int,
    films: Sequence[Hashable] | None = None,
    draws: NDArray[np.float64] | None = None,
) -> Json:
    """Return silhouettes by each grouping, and agreement of the `k` nearest compared with chance.

    Args:
        vectors: N x D.
        labels: N x G, 0 or 1; neighbours agree if they share a label.
        groups: the group of each of the N trailers, by name of the grouping.
        k: neighbours.
        films: the film of each trailer; neighbours are of other films.
        draws: bootstrap drawings of the N trailers; agreements then have their `interval`.
    """
    found = retrieval.neighbours(vectors, k, films)
    agreement = {"any_label": retrieval.label_agreement(found, labels, films)}
    hits = {"any_label": retrieval.label_hits(found, labels)}
    for name, rows in groups.items():
        agreement[name] = retrieval.group_agreement(found, rows, films)
        hits[name] = retrieval.group_hits(found, rows)
    measures: Json = scores.rounded(
        {
            "trailers": len(vectors),
            "silhouette": {n: clusters.silhouette(vectors, rows) for n, rows in groups.items()},
            "agreement": {
                name: entry and asdict(entry) | _interval(hits[name], draws)
                for name, entry in agreement.items()
            },
        }
    )
    return measures


def _interval(hits: NDArray[np.bool_], draws: NDArray[np.float64] | None) -> Json:
    """The interval of a share of neighbours that agree, if there are drawings."""
    return {} if draws is None else {"interval": mean_interval(hits.mean(axis=1), draws)}


def _both(subject: Subject, vectors: NDArray[np.floating]) -> Json:
    """Measure a space over all trailers and over the held-out ones."""
    collection, sets = subject.collection, subject.sets
    chosen = {"all": np.arange(len(subject.ids)), "test": collection.members("test")}
    return {
        name: measure_space(
            vectors[members],
            collection.labels[members],
            {
                "primary_genre": collection.primary[members].tolist(),
                "genre_set": [sets[member] for member in members],
            },
            subject.params.neighbours,
            [subject.films[member] for member in members],
            _draw(subject, members),
        )
        for name, members in chosen.items()
    }
