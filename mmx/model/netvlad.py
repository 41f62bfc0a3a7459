"""NetVLAD (Arandjelovic et al.; section 3 and 4.2 of the paper): pool a clip's vectors to one."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmx.model.layers import starts_of


class NetVLAD(nn.Module):
    """Pool any number of vectors into one by their residuals to learnt clusters.

        a = softmax(x C + b)              b: a bias, or batch normalisation
        V_k = sum_n a_nk (x_n - c_k)
        output = L2(flatten(L2 per cluster(V)))

    Ghost clusters take part in the softmax and are then dropped: they absorb vectors that fit no
    cluster. Vectors are concatenated without padding.
    """

    def __init__(self, width: int, clusters: int, ghosts: int, batch_norm: bool) -> None:
        super().__init__()
        scale = width**-0.5
        self.clusters = nn.Parameter(scale * torch.randn(width, clusters + ghosts))
        self.centres = nn.Parameter(scale * torch.randn(width, clusters))
        self.bias = None if batch_norm else nn.Parameter(torch.zeros(clusters + ghosts))
        self.norm = nn.BatchNorm1d(clusters + ghosts) if batch_norm else None

    @property
    def out_features(self) -> int:
        """Width of the output: width x clusters."""
        return self.centres.numel()

    def forward(self, vectors: Tensor, counts: Tensor) -> Tensor:
        """Pool every clip's vectors.

        Args:
            vectors: [sum(counts), width], concatenated.
            counts: int64 [clips] on the CPU, each at least 1.

        Returns:
            [clips, width * clusters], rows of length 1.
        """
        share = self._assign(vectors)
        sums = self._per_clip(vectors, share, counts)
        flat = normalize(sums, dim=1).flatten(1)
        return normalize(flat, dim=1)

    def _assign(self, vectors: Tensor) -> Tensor:
        """Share of each vector in each cluster, ghosts dropped: [vectors, clusters]."""
        scores = vectors @ self.clusters
        if self.norm is not None:
            scores = self.norm(scores)
        if self.bias is not None:
            scores = scores + self.bias
        return scores.softmax(1)[:, : self.centres.shape[1]]

    def _per_clip(self, vectors: Tensor, share: Tensor, counts: Tensor) -> Tensor:
        """Residual sums [clips, width, clusters], one product for all clips of equal count."""
        starts = starts_of(counts)
        parts, order = [], []
        for count in counts.unique().tolist():
            clips = (counts == count).nonzero()[:, 0]
            places = (starts[clips, None] + torch.arange(count)).to(vectors.device)
            found, weights = vectors[places], share[places]
            residual = found.mT @ weights - weights.sum(1, keepdim=True) * self.centres
            parts.append(residual)
            order.append(clips)
        back = torch.cat(order).argsort().to(vectors.device)
        return torch.cat(parts)[back]
