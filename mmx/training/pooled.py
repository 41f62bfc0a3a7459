"""The space of mean features before it is trained: whitened principal components."""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from mmx.model.network import Network
from mmx.training.data import Collection
from mmx.training.errors import CollectionError


def whiten(network: Network, collection: Collection, members: np.ndarray, width: int) -> None:
    """Let `network` compare trailers by their mean features, whitened over the trailers `members`.

    Args:
        network: with standardised inputs; changed in place.
        collection: the trailers.
        members: their positions, int64.
        width: of the space; less where the trailers span less.

    Raises:
        CollectionError: the trailers are all alike.
    """
    found = fit_components(mean_features(network, collection, members), width)
    if found is None:
        raise CollectionError("trailers of the training split all have the same mean features")
    projection = found.components_ / np.sqrt(found.explained_variance_)[:, None]
    device = next(network.parameters()).device
    network.add_pooled_space(
        torch.from_numpy(found.mean_).float().to(device),
        torch.from_numpy(projection).float().to(device),
    )


def fit_components(vectors: NDArray[np.float64], most: int) -> PCA | None:
    """Fit at most `most` principal components, whitened, to N x D vectors; None if all are equal.

    There are fewer where the vectors do not span as many.
    """
    with threadpool_limits(1):
        rank = int(np.linalg.matrix_rank(vectors - vectors.mean(axis=0)))
        return PCA(min(most, rank), whiten=True, svd_solver="full").fit(vectors) if rank else None


@torch.inference_mode()
def mean_features(network: Network, collection: Collection, members: np.ndarray) -> np.ndarray:
    """Return the mean standardised features of some trailers, float64 [members, width]."""
    device = next(network.parameters()).device
    rows = [network.means(collection.trailers([member]).to(device)) for member in members]
    return torch.cat(rows).cpu().double().numpy()
