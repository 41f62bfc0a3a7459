"""Clusters of films in a space: k-means, with as many clusters as separate best."""

from math import isqrt

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits

MOST = 12
"""Clusters: more are not told apart on a map."""
SAMPLE = 2000
"""Films by which the number of clusters is chosen, evenly spaced."""
STARTS = 4
"""Of k-means; the best is kept."""

Points = NDArray[np.floating]
Groups = NDArray[np.int32]


def find_clusters(points: Points, *, seed: int) -> Groups:
    """Return the cluster of each of N x D points by Euclidean distance, 0 the largest.

    There are as many, from 2 to MOST and to the root of N, as give the greatest mean silhouette
    (Rousseeuw 1987) to at most SAMPLE points; of equals the fewest. Points too few to
    be told apart are one cluster. One thread is used, so that equal points give equal clusters.
    """
    points = np.asarray(points, np.float64)
    with threadpool_limits(1):
        sample = points[np.linspace(0, len(points) - 1, min(len(points), SAMPLE)).astype(int)]
        count = _best_count(sample, seed)
        return _by_size(_k_means(points, count, seed)) if count > 1 else _one(points)


def _one(points: Points) -> Groups:
    return np.zeros(len(points), np.int32)


def _best_count(points: Points, seed: int) -> int:
    """Return the number of clusters that separate best; 1 where there are no two."""
    distinct = len(np.unique(points, axis=0))
    counts = range(2, min(MOST, isqrt(len(points)), distinct - 1) + 1)
    scores = {k: silhouette_score(points, _k_means(points, k, seed)) for k in counts}
    return max(scores, key=lambda k: scores[k], default=1)


def _k_means(points: Points, count: int, seed: int) -> Groups:
    found: Groups = KMeans(count, n_init=STARTS, random_state=seed).fit_predict(points)
    return found


def _by_size(groups: Groups) -> Groups:
    """Number clusters by size, the largest first, then by their first member."""
    names, first, sizes = np.unique(groups, return_index=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    place = np.empty(len(names), np.int32)
    place[order] = np.arange(len(names))
    return place[np.searchsorted(names, groups)]
