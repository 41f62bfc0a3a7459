"""Genres without a network of ours: nearest neighbours, and logistic regression on pooled features.

All return probabilities, N x G, for every trailer; labels are read of the training split alone.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from mmx.evaluation.retrieval import nearest

Labels = NDArray[np.integer]
Vectors = NDArray[np.floating]
Probabilities = NDArray[np.float64]

STRENGTH = 0.01
"""Inverse of the regression's penalty: pooled features are many and trailers few."""


def vote(
    vectors: Vectors,
    labels: Labels,
    members: NDArray[np.integer],
    films: Sequence[Hashable],
    k: int,
) -> Probabilities:
    """Return the share of the `k` nearest training trailers that have each genre.

    Trailers of the same film are no neighbours. Without any neighbour all shares are 0.

    Args:
        vectors: N x D, compared by cosine.
        labels: N x G, 0 or 1.
        members: positions of the training split.
        films: the film of each trailer.
        k: neighbours.
    """
    known = [films[member] for member in members.tolist()]
    found = nearest(vectors, vectors[members], k, (films, known))
    if not found.index.shape[1]:
        return np.zeros(labels.shape)
    shares: Probabilities = labels[members][found.index].mean(axis=1)
    return shares


def regress(vectors: Vectors, labels: Labels, members: NDArray[np.integer]) -> Probabilities:
    """Return the probabilities of one logistic regression per genre, by scikit-learn.

    Features are scaled to variance 1 over the training split. A genre that all or none of the
    training trailers have is predicted with that share. Arguments as for `vote`.
    """
    with threadpool_limits(1):
        scaled = StandardScaler().fit(vectors[members]).transform(vectors)
        columns = [_one_genre(scaled, column, members) for column in labels.T]
    return np.stack(columns, axis=1)


def _one_genre(vectors: Vectors, marks: Labels, members: NDArray[np.integer]) -> Probabilities:
    """Return the probability of one genre, N."""
    known = marks[members]
    if known.min() == known.max():
        return np.full(len(vectors), float(known[0]))
    model = LogisticRegression(C=STRENGTH, max_iter=1000).fit(vectors[members], known)
    probabilities: Probabilities = model.predict_proba(vectors)[:, 1]
    return probabilities
