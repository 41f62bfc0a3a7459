"""Names of clusters: the genres that are more frequent in them than elsewhere."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NAMED = 2
"""Genres of a name at most."""
LEAST = 0.15
"""By how much a genre's share of a cluster exceeds its share of the other films, at least."""
MIXED = "mixed"


def name_clusters(
    clusters: NDArray[np.integer], labels: Sequence[Sequence[int]], genres: Sequence[str]
) -> list[str]:
    """Return a name for each cluster: its most distinctive genres, the first the most.

    >>> name_clusters(np.array([0, 0, 0, 1]), [[0], [0], [0, 1], [1]], ["Drama", "War"])
    ['Drama', 'War']
    """
    has = np.zeros((len(labels), len(genres)))
    for film, own in enumerate(labels):
        has[film, list(own)] = 1
    return [_name(has, clusters == at, genres) for at in range(int(clusters.max(initial=-1)) + 1)]


def _name(has: NDArray[np.floating], inside: NDArray[np.bool_], genres: Sequence[str]) -> str:
    excess = has[inside].mean(axis=0) - (has[~inside].mean(axis=0) if not inside.all() else 0)
    order = np.argsort(-excess, kind="stable")[:NAMED]
    return ", ".join(genres[genre] for genre in order if excess[genre] >= LEAST) or MIXED
