"""Cosine retrieval (figures 5 and 10), and how often neighbours agree in labels or group."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
BLOCK = 1024


@dataclass(frozen=True)
class Neighbours:
    """The nearest neighbours of each of N vectors, nearest first."""

    index: NDArray[np.int32]
    """N x K positions; K is smaller than asked for if there are fewer vectors."""
    similarity: NDArray[np.float64]
    """N x K cosine similarities, -1..1."""


@dataclass(frozen=True)
class Agreement:
    """How often a neighbour agrees with its query, and how often a random trailer does."""

    observed: float
    """Mean over queries and their neighbours, 0..1."""
    chance: float
    """Mean over all ordered pairs of different trailers, 0..1."""


def unit(vectors: Floats) -> NDArray[np.float64]:
    """Return N x D vectors at length 1 in double precision; a zero vector stays zero."""
    vectors = np.asarray(vectors, dtype=np.float64)
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise ValueError(f"vectors must be finite and N x D, not {vectors.shape}")
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1.0)


def nearest(queries: Floats, vectors: Floats, k: int) -> Neighbours:
    """Return the `k` of N x D `vectors` nearest to each of Q x D `queries` by cosine.

    Similarities are rounded to nine decimals and ties go to the lower position, so that the order
    of equal vectors does not depend on the linear algebra library.
    """
    return _ranked(unit(queries), unit(vectors), k, first_self=None)


def neighbours(vectors: Floats, k: int) -> Neighbours:
    """Return the `k` nearest neighbours of each of N x D `vectors`, in the order of `nearest`."""
    unit_vectors = unit(vectors)
    return _ranked(unit_vectors, unit_vectors, k, first_self=0)


def _ranked(
    queries: NDArray[np.float64], vectors: NDArray[np.float64], k: int, first_self: int | None
) -> Neighbours:
    """Rank in blocks of rows; from `first_self` on, query i leaves out vector i."""
    k = min(k, len(vectors) - (first_self is not None))
    index = np.empty((len(queries), max(k, 0)), dtype=np.int32)
    similarity = np.empty(index.shape)
    for start in range(0, len(queries), BLOCK):
        cosine = np.round(queries[start : start + BLOCK] @ vectors.T, 9)
        if first_self is not None:
            rows = np.arange(len(cosine))
            cosine[rows, start + rows] = -np.inf
        order = _largest(cosine, k)
        index[start : start + BLOCK] = order
        similarity[start : start + BLOCK] = np.take_along_axis(cosine, order, axis=1)
    return Neighbours(index, similarity)


def _largest(values: NDArray[np.float64], k: int) -> NDArray[np.intp]:
    """Return the positions of the `k` largest in each row, equals in order of position.

    Only values that can be among them are sorted.
    """
    if not k:
        return np.empty((len(values), 0), dtype=np.intp)
    least = np.partition(values, -k, axis=1)[:, -k]
    order = np.empty((len(values), k), dtype=np.intp)
    for row, bound, found in zip(values, least, order, strict=True):
        able = np.flatnonzero(row >= bound)
        found[:] = able[np.argsort(-row[able], kind="stable")[:k]]
    return order


def label_agreement(found: Neighbours, labels: NDArray[np.integer]) -> Agreement | None:
    """Return how often a neighbour shares at least one of the N x G labels with its query.

    None if there are no neighbours.
    """
    if not found.index.size:
        return None
    marks = np.asarray(labels, dtype=np.float32)
    observed = (marks[:, None, :] * marks[found.index]).any(axis=2).mean()
    agreeing = sum(
        int(np.count_nonzero(marks[start : start + BLOCK] @ marks.T))
        for start in range(0, len(marks), BLOCK)
    ) - int(marks.any(axis=1).sum())
    return Agreement(float(observed), agreeing / (len(marks) * (len(marks) - 1)))


def group_agreement(found: Neighbours, groups: Sequence[Hashable]) -> Agreement | None:
    """Return how often a neighbour is in its query's group (primary genre, genre set, style).

    None if there are no neighbours.
    """
    if not found.index.size:
        return None
    codes = {group: code for code, group in enumerate(dict.fromkeys(groups))}
    own = np.array([codes[group] for group in groups])
    sizes = np.bincount(own)
    observed = (own[:, None] == own[found.index]).mean()
    chance = int((sizes * (sizes - 1)).sum()) / (len(own) * (len(own) - 1))
    return Agreement(float(observed), chance)
