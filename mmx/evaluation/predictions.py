"""The probabilities of every model and baseline by name, and their tables."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mmx.evaluation import baselines, untrained
from mmx.evaluation.scores import sigmoid
from mmx.evaluation.subject import Subject, mean_sequences

Probabilities = NDArray[np.float64]
Seconds = NDArray[np.float64]

COARSE, FINE, SEQUENCE = "coarse", "fine", "sequence"
NEAREST, LOGISTIC = "nearest", "logistic"
JOINED = "joined"


def predict_genres(subject: Subject) -> dict[str, Probabilities]:
    """Return the probabilities of every trailer, N x G, by model.

    `coarse`; `fine`, the unchanged classifier after fine-tuning; `sequence`, the coarse model's
    sequence head averaged over a trailer, if it has one; `nearest_<space>`, the vote of the nearest
    training trailers; `logistic_<modality>` and `logistic_joined`, logistic regressions on pooled
    features.
    """
    found = {COARSE: sigmoid(subject.coarse.logits), FINE: sigmoid(subject.fine.logits)}
    sequence = mean_sequences(subject.coarse)
    found |= {} if sequence is None else {SEQUENCE: sigmoid(sequence)}
    return found | _nearest(subject) | _logistic(subject)


def _nearest(subject: Subject) -> dict[str, Probabilities]:
    """The votes of the nearest training trailers in every space."""
    labels, members = subject.collection.labels, subject.collection.members("train")
    k = subject.params.neighbours
    return {
        f"{NEAREST}_{name}": baselines.vote(vectors, labels, members, subject.films, k)
        for name, vectors in subject.spaces.items()
    }


def _logistic(subject: Subject) -> dict[str, Probabilities]:
    """Logistic regressions on the pooled features of each modality and of all."""
    labels, members = subject.collection.labels, subject.collection.members("train")
    inputs = {**subject.pooled, JOINED: untrained.join(subject.pooled)}
    return {
        f"{LOGISTIC}_{name}": baselines.regress(vectors, labels, members)
        for name, vectors in inputs.items()
    }


def trailer_table(subject: Subject, predictions: Mapping[str, Probabilities]) -> pa.Table:
    """Return a row per model, trailer and genre: trailer_id, model, genre, probability."""
    trailers, genres, models = len(subject.ids), len(subject.genres), len(predictions)
    return pa.table(
        {
            "trailer_id": _repeated(subject.ids, genres, models),
            "model": _repeated(list(predictions), trailers * genres, 1),
            "genre": _repeated(subject.genres, 1, models * trailers),
            "probability": np.concatenate([rows.ravel() for rows in predictions.values()]),
        }
    )


def sequence_table(subject: Subject, spans: tuple[Seconds, Seconds]) -> pa.Table:
    """Return a row per sequence and genre, by the coarse model's sequence head.

    Columns: trailer_id; sequence, from 0; start_s and stop_s; model; genre; probability. There are
    no rows without a sequence head.

    spans: first and last second of every sequence.
    """
    return _part_table(
        subject,
        "sequence",
        subject.coarse.sequence_trailer,
        spans,
        subject.coarse.sequence_logits,
    )


def clip_table(subject: Subject, spans: tuple[Seconds, Seconds]) -> pa.Table:
    """Return a row per clip and genre, by the coarse model's sequence head on the clip alone.

    Columns as in `sequence_table`, with `clip` for `sequence`.

    spans: first and last second of every clip.
    """
    owner = subject.coarse.clip_trailer
    return _part_table(subject, "clip", owner, spans, subject.clip_logits)


def _part_table(
    subject: Subject,
    part: str,
    owner: NDArray[np.integer],
    spans: tuple[Seconds, Seconds],
    logits: NDArray[np.floating] | None,
) -> pa.Table:
    """Return a row per part of a trailer (`owner`: its position) and genre."""
    if logits is None:
        owner, logits = owner[:0], np.empty((0, len(subject.genres)))
    genres, count = len(subject.genres), len(owner)
    number = np.arange(count) - np.searchsorted(owner, owner)
    return pa.table(
        {
            "trailer_id": _repeated([subject.ids[trailer] for trailer in owner], genres, 1),
            part: np.repeat(number.astype(np.int32), genres),
            "start_s": np.repeat(spans[0][:count], genres),
            "stop_s": np.repeat(spans[1][:count], genres),
            "model": _repeated([COARSE], count * genres, 1),
            "genre": _repeated(subject.genres, 1, count),
            "probability": sigmoid(logits).ravel(),
        }
    )


def _repeated(names: Sequence[str], each: int, times: int) -> pa.Array:
    """Return every name `each` times in a row, and all that `times` times."""
    codes = np.tile(np.repeat(np.arange(len(names), dtype=np.int32), each), times)
    return pa.array(names, pa.string()).take(pa.array(codes))
