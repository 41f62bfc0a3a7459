"""The space of mean features before it is trained: whitened principal components."""

import numpy as np
import torch
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
    means = mean_features(network, collection, members)
    with threadpool_limits(1):
        rank = int(np.linalg.matrix_rank(means - means.mean(axis=0)))
        if not rank:
            raise CollectionError("trailers of the training split all have the same mean features")
        found = PCA(min(width, rank), svd_solver="full").fit(means)
    projection = found.components_ / np.sqrt(found.explained_variance_)[:, None]
    device = next(network.parameters()).device
    network.add_pooled_space(
        torch.from_numpy(found.mean_).float().to(device),
        torch.from_numpy(projection).float().to(device),
    )


@torch.inference_mode()
def mean_features(network: Network, collection: Collection, members: np.ndarray) -> np.ndarray:
    """Return the mean standardised features of some trailers, float64 [members, width]."""
    device = next(network.parameters()).device
    rows = [network.means(collection.trailers([member]).to(device)) for member in members]
    return torch.cat(rows).cpu().double().numpy()
