"""Collaborative gating (section 3.1): every modality is weighted by the others.

Of g's linear layers the first is linear in each partner and the last is linear in the sum, so
each is applied once per modality, not once per pair: g([y_e; y_f]) starts with
A y_e + B y_f + a, and sum_f (W r_f + b) = W (sum_f r_f) + n b.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from mmx.model.config import GatingConfig


class PairSum(nn.Module):
    """The sum over partners of equation 1, sum_f g(y_e, y_f), missing partners left out."""

    def __init__(
        self, dim: int, layers: int, activation: Callable[[], nn.Module], batch_norm: bool
    ) -> None:
        super().__init__()
        self.own = nn.Linear(dim, dim)
        self.partner = nn.Linear(dim, dim, bias=False)
        inner: list[nn.Module] = []
        for layer in range(1, layers):
            inner += [nn.Linear(dim, dim)] if layer > 1 else []
            inner += [nn.BatchNorm1d(dim)] if batch_norm else []
            inner += [activation()]
        self.inner = nn.Sequential(*inner)
        self.last = nn.Linear(dim, dim)

    def forward(self, expert: Tensor, partners: list[Tensor], mask: Tensor) -> Tensor:
        """Sum g over the partners of one modality.

        Args:
            expert: y_e, [clips, dim].
            partners: what `self.partner` gave for each y_f, [clips, dim] each.
            mask: bool [clips, partners]: where both are present.

        Returns:
            [clips, dim].
        """
        own = self.own(expert)
        total = torch.zeros_like(own)
        for column, partner in enumerate(partners):
            total = total + self.inner(own + partner) * mask[:, column, None]
        return linear(total, self.last.weight) + mask.sum(1, keepdim=True) * self.last.bias


class PaperGate(nn.Module):
    """Equation 2: y o sigma(h(sum)). h is an MLP on g's output, shared by all modalities."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.h = nn.Sequential(nn.ReLU(), nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))

    def forward(self, expert: Tensor, total: Tensor, partners: Tensor) -> Tensor:
        """Gate one modality: expert and total [clips, dim]; `partners` is not used."""
        gated: Tensor = expert * self.h(total).sigmoid()
        return gated


class OriginalGate(nn.Module):
    """The published code's gate: L2(y o sigma(BN(mean) + BN(V y + c))), one per modality."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc = nn.Linear(dim, dim)
        self.norm_attention = nn.BatchNorm1d(dim)
        self.norm_expert = nn.BatchNorm1d(dim)

    def forward(self, expert: Tensor, total: Tensor, partners: Tensor) -> Tensor:
        """Gate one modality: expert and total [clips, dim], partners [clips, 1] their number."""
        attention = self.norm_attention(total / (partners + 1e-11))
        return normalize(expert * (attention + self.norm_expert(self.fc(expert))).sigmoid())


class CollaborativeGating(nn.Module):
    """Equations 1 and 2 over all modalities of every clip."""

    def __init__(self, dim: int, modalities: int, config: GatingConfig) -> None:
        super().__init__()
        self.config = config
        # The paper's gate is shared by all modalities, the original has one for each.
        if config.form == "paper":
            self.pairs = PairSum(dim, 2, nn.ReLU, batch_norm=False)
            self.gates = nn.ModuleList([PaperGate(dim)])
        else:
            self.pairs = PairSum(dim, 3, nn.Mish, batch_norm=True)
            self.gates = nn.ModuleList(OriginalGate(dim) for _ in range(modalities))

    def forward(self, experts: list[Tensor], present: Tensor) -> list[Tensor]:
        """Gate every modality by the others.

        Args:
            experts: y_e, [clips, dim] each.
            present: bool [clips, modalities].

        Returns:
            [clips, dim] each; rows of missing modalities are undefined.
        """
        partners = [self.pairs.partner(expert) for expert in experts]
        gated = []
        for e, expert in enumerate(experts):
            others = [f for f in range(len(experts)) if f != e or self.config.include_self]
            mask = present[:, others] & present[:, e, None]
            total = self.pairs(expert, [partners[f] for f in others], mask)
            gate = self.gates[e % len(self.gates)]
            gated.append(gate(expert, total, mask.sum(1, keepdim=True)))
            if self.config.order == "sequential":
                partners[e] = self.pairs.partner(gated[e])
        return gated


class GatedEmbedding(nn.Module):
    """Gated Embedding Module (Miech et al.): u = W x + b, L2(u o sigma(V u + c))."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc = nn.Linear(dim, dim)
        self.gate = nn.Linear(dim, dim)

    def forward(self, expert: Tensor) -> Tensor:
        """[clips, dim] to [clips, dim], rows of length 1."""
        hidden = self.fc(expert)
        return normalize(hidden * self.gate(hidden).sigmoid())
