"""Spaces that nobody trained: what the experts' features hold before any model sees them."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from mmx.training.data import Collection, standards
from mmx.training.pooled import fit_components

Vectors = NDArray[np.float64]


def pool(collection: Collection) -> dict[str, Vectors]:
    """Return each trailer's mean of its standardised features, N x D, by modality.

    Features are standardised over the training split, as they are for the networks. A trailer that
    lacks a modality is zero there, the mean of the collection.
    """
    known = standards(collection, collection.members("train"))
    pooled = {}
    for name, column in collection.columns.items():
        mean, scale = (tensor.numpy().astype(np.float64) for tensor in known[name])
        rows = np.zeros((len(collection.ids), column.values.shape[1]))
        for trailer in range(len(rows)):
            values = column.pick(collection.clips_of(trailer)).values.numpy()
            if len(values):
                rows[trailer] = (values.mean(axis=0, dtype=np.float64) - mean) / scale
        pooled[name] = rows
    return pooled


def join(pooled: Mapping[str, Vectors]) -> Vectors:
    """Return the modalities side by side."""
    return np.concatenate(list(pooled.values()), axis=1)


def whiten(vectors: Vectors, fitted: NDArray[np.integer], components: int) -> Vectors:
    """Return the first principal components of N x D vectors, each scaled to variance 1.

    Args:
        vectors: N x D.
        fitted: positions of the vectors by which the components are found.
        components: how many; fewer if the fitted vectors do not span as many.

    Returns:
        N x C; one column of zeros if the fitted vectors are all equal.
    """
    found = fit_components(vectors[fitted], components)
    if found is None:
        return np.zeros((len(vectors), 1))
    with threadpool_limits(1):
        whitened: Vectors = found.transform(vectors)
    return whitened
