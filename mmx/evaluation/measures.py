"""metrics.json: both models measured on every split, and both spaces (sections 4.2 to 4.4)."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from mmx.evaluation import clusters, retrieval, scores
from mmx.evaluation.scores import Json
from mmx.evaluation.subject import Subject, mean_sequences
from mmx.training.data import SPLITS
from mmx.training.embed import Embedded


def measure(subject: Subject) -> Json:
    """Return all metrics as JSON data.

    `splits`: per split the records (see `scores.score`) of the coarse model, of its sequence head
    averaged over a trailer, of the unchanged classifier after fine-tuning, of the random baseline.
    `spaces`: coarse and fine, over all trailers and over the held-out ones. `similarity`:
    section 4.4's cosine similarities.
    """
    cohesion = clusters.cohesion(subject.coarse.trailer, subject.fine.trailer, subject.sets)
    return {
        "threshold": subject.params.threshold,
        "splits": {split: _measure_split(subject, split) for split in SPLITS},
        "spaces": {name: _both(subject, space) for name, space in subject.embedded.items()},
        "similarity": scores.rounded({k: v for k, v in asdict(cohesion).items() if k != "sets"}),
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
    for name, space in spaces.items():
        found = space["all"]["silhouette"].items()
        rows[name] |= {f"silhouette_{group}": value for group, value in found}
    return {
        name: {key: value for key, value in row.items() if value is not None}
        for name, row in rows.items()
    }


def _measure_split(subject: Subject, split: str) -> Json:
    """Return the records of one split."""
    members = subject.collection.members(split)
    labels = subject.collection.labels[members]
    logits = {"coarse": subject.coarse.logits, "fine": subject.fine.logits}
    sequence = mean_sequences(subject.coarse)
    logits |= {} if sequence is None else {"sequence": sequence}
    threshold = subject.params.threshold
    found = {
        name: scores.score(labels, scores.sigmoid(rows[members]), subject.genres, threshold)
        for name, rows in logits.items()
    }
    return found | {"random": scores.score_random(labels, subject.genres)}


def measure_space(
    vectors: NDArray[np.floating],
    labels: NDArray[np.integer],
    groups: Mapping[str, Sequence[Hashable]],
    k: int,
) -> Json:
    """Return silhouettes by each grouping, and agreement of the `k` nearest compared with chance.

    Args:
        vectors: N x D.
        labels: N x G, 0 or 1; neighbours agree if they share a label.
        groups: the group of each of the N trailers, by name of the grouping.
        k: neighbours.
    """
    found = retrieval.neighbours(vectors, k)
    agreement = {"any_label": retrieval.label_agreement(found, labels)}
    agreement |= {name: retrieval.group_agreement(found, rows) for name, rows in groups.items()}
    measures: Json = scores.rounded(
        {
            "trailers": len(vectors),
            "silhouette": {n: clusters.silhouette(vectors, rows) for n, rows in groups.items()},
            "agreement": {name: entry and asdict(entry) for name, entry in agreement.items()},
        }
    )
    return measures


def _both(subject: Subject, embedded: Embedded) -> Json:
    """Measure a space over all trailers and over the held-out ones."""
    collection, sets = subject.collection, subject.sets
    chosen = {"all": np.arange(len(subject.ids)), "test": collection.members("test")}
    return {
        name: measure_space(
            embedded.trailer[members],
            collection.labels[members],
            {
                "primary_genre": collection.primary[members].tolist(),
                "genre_set": [sets[member] for member in members],
            },
            subject.params.neighbours,
        )
        for name, members in chosen.items()
    }
