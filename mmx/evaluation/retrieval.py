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
    """Mean over all ordered pairs of trailers of different films, 0..1."""


def unit(vectors: Floats) -> NDArray[np.float64]:
    """Return N x D vectors at length 1 in double precision; a zero vector stays zero."""
    vectors = np.asarray(vectors, dtype=np.float64)
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise ValueError(f"vectors must be finite and N x D, not {vectors.shape}")
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1.0)


def nearest(
    queries: Floats,
    vectors: Floats,
    k: int,
    films: tuple[Sequence[Hashable], Sequence[Hashable]] | None = None,
) -> Neighbours:
    """Return the `k` of N x D `vectors` nearest to each of Q x D `queries` by cosine.

    Similarities are rounded to nine decimals and ties go to the lower position, so that the order
    of equal vectors does not depend on the linear algebra library. With `films`, the film of each
    query and of each vector, a trailer of the query's own film is no neighbour, and `k` is lowered
    to what every query has.
    """
    if films is None:
        return _ranked(unit(queries), unit(vectors), k, None)
    codes = _codes([*films[0], *films[1]])
    return _ranked(unit(queries), unit(vectors), k, (codes[: len(queries)], codes[len(queries) :]))


def neighbours(vectors: Floats, k: int, films: Sequence[Hashable] | None = None) -> Neighbours:
    """Return the `k` nearest neighbours of each of N x D `vectors`, in the order of `nearest`.

    With `films`, the film of each vector, only trailers of other films are neighbours.
    """
    own = range(len(vectors)) if films is None else films
    return nearest(vectors, vectors, k, (own, own))


def _ranked(
    queries: NDArray[np.float64],
    vectors: NDArray[np.float64],
    k: int,
    films: tuple[NDArray[np.intp], NDArray[np.intp]] | None,
) -> Neighbours:
    """Rank in blocks of rows, without pairs of equal `films`."""
    most = 0 if films is None or not len(films[1]) else int(np.bincount(films[1]).max())
    k = max(min(k, len(vectors) - most), 0)
    index = np.empty((len(queries), k), dtype=np.int32)
    similarity = np.empty(index.shape)
    for start in range(0, len(queries), BLOCK):
        cosine = np.round(queries[start : start + BLOCK] @ vectors.T, 9)
        if films is not None:
            cosine[films[0][start : start + BLOCK, None] == films[1]] = -np.inf
        order = _largest(cosine, k)
        index[start : start + BLOCK] = order
        similarity[start : start + BLOCK] = np.take_along_axis(cosine, order, axis=1)
    return Neighbours(index, similarity)


def _codes(groups: Sequence[Hashable]) -> NDArray[np.intp]:
    """Number groups in the order in which they appear."""
    known = {group: code for code, group in enumerate(dict.fromkeys(groups))}
    return np.array([known[group] for group in groups], dtype=np.intp)


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


def label_hits(found: Neighbours, labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return whether each neighbour shares one of the N x G labels with its query, N x K."""
    marks = np.asarray(labels, dtype=bool)
    hits: NDArray[np.bool_] = (marks[:, None, :] & marks[found.index]).any(axis=2)
    return hits


def group_hits(found: Neighbours, groups: Sequence[Hashable]) -> NDArray[np.bool_]:
    """Return whether each neighbour is in its query's group, N x K."""
    own = _codes(groups)
    hits: NDArray[np.bool_] = own[:, None] == own[found.index]
    return hits


def label_agreement(
    found: Neighbours, labels: NDArray[np.integer], films: Sequence[Hashable] | None = None
) -> Agreement | None:
    """Return how often a neighbour shares at least one of the N x G labels with its query.

    `films` as for `neighbours`. None if there are no neighbours.
    """
    if not found.index.size:
        return None
    marks = np.asarray(labels, dtype=np.float32)
    own = _codes(range(len(marks)) if films is None else films)
    within = (marks[own == film] for film in np.flatnonzero(np.bincount(own)))
    agreeing = _sharing(marks) - sum(map(_sharing, within))
    return Agreement(float(label_hits(found, labels).mean()), agreeing / _apart(own))


def _sharing(marks: NDArray[np.float32]) -> int:
    """Count the ordered pairs of rows that share a mark, a row with itself included."""
    return sum(
        int(np.count_nonzero(marks[start : start + BLOCK] @ marks.T))
        for start in range(0, len(marks), BLOCK)
    )


def group_agreement(
    found: Neighbours, groups: Sequence[Hashable], films: Sequence[Hashable] | None = None
) -> Agreement | None:
    """Return how often a neighbour is in its query's group (primary genre, genre set, style).

    `films` as for `neighbours`. None if there are no neighbours.
    """
    if not found.index.size:
        return None
    own = _codes(range(len(groups)) if films is None else films)
    both = _codes(list(zip(groups, own.tolist(), strict=True)))
    agreeing = _pairs(_codes(groups)) - _pairs(both)
    return Agreement(float(group_hits(found, groups).mean()), agreeing / _apart(own))


def _pairs(codes: NDArray[np.intp]) -> int:
    """Count the ordered pairs of equal codes, each with itself included."""
    return int(np.square(np.bincount(codes)).sum())


def _apart(films: NDArray[np.intp]) -> int:
    """Count the ordered pairs of different films."""
    return len(films) ** 2 - _pairs(films)
