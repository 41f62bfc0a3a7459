"""The network: from clips to sequences to a trailer, with its heads (sections 3 and 7)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from mmx.model.batch import Batch, Feature
from mmx.model.config import Modality, NetworkConfig
from mmx.model.gating import CollaborativeGating, GatedEmbedding
from mmx.model.layers import gather_or_zero, linear_for_relu, mlp, start_equal
from mmx.model.netvlad import NetVLAD
from mmx.model.sequences import Spans, clip_index, cut_spans, slot_index


@dataclass(frozen=True)
class Encoded:
    """The output of the network before any head."""

    clips: Tensor
    """[clips, config.clip], rows of length 1."""
    sequences: Tensor
    """[sequences, config.sequence]."""
    trailer: Tensor
    """[trailers, config.bottleneck], not negative."""
    pooled: Tensor | None
    """[trailers, config.pooled]; None where that is 0."""
    spans: Spans
    """The clips of each sequence."""

    @property
    def embedding(self) -> Tensor:
        """The vectors by which trailers are compared: `pooled` where there is one."""
        return self.trailer if self.pooled is None else self.pooled


@dataclass(frozen=True)
class Output(Encoded):
    """Encoded, and the genres."""

    logits: Tensor
    """[trailers, config.classes]."""
    sequence_logits: Tensor | None
    """[sequences, config.classes]; None without a sequence head."""


class ModalityInput(nn.Module):
    """One modality to the common width: standardised, pooled if a sequence, projected."""

    mean: Tensor
    scale: Tensor

    def __init__(self, modality: Modality, config: NetworkConfig) -> None:
        super().__init__()
        original = config.gating.form == "original"
        self.register_buffer("mean", torch.zeros(modality.width))
        self.register_buffer("scale", torch.ones(modality.width))
        self.pool = (
            NetVLAD(modality.width, config.clusters, config.ghosts, batch_norm=original)
            if modality.sequence
            else None
        )
        width = modality.width if self.pool is None else self.pool.out_features
        self.project = nn.Linear(width, config.dim)
        self.normalise = original

    def forward(self, feature: Feature, clips: int) -> Tensor:
        """Return [clips, dim], zero where the modality is missing."""
        values = (feature.values - self.mean) / self.scale
        if self.pool is not None and len(values):
            values = self.pool(values, feature.counts)
        elif self.pool is not None:
            values = values.new_zeros(0, self.project.in_features)
        projected: Tensor = self.project(values)
        if self.normalise:
            projected = normalize(projected)
        if len(feature.clips) == clips:
            return projected
        return projected.new_zeros(clips, projected.shape[1]).index_copy(
            0, feature.clips, projected
        )


class Fusion(nn.Module):
    """The modalities of a clip to its vector: gated, embedded, joined, projected, scaled."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        count = len(config.modalities)
        gated = config.fusion == "gated"
        self.gating = CollaborativeGating(config.dim, count, config.gating) if gated else None
        embedded = gated and config.gating.form == "paper"
        self.embed = nn.ModuleList(
            GatedEmbedding(config.dim) if embedded else nn.Identity() for _ in range(count)
        )
        self.project = nn.Linear(count * (config.dim + 1), config.clip)

    def forward(self, experts: list[Tensor], present: Tensor) -> Tensor:
        """Fuse [clips, dim] per modality, `present` bool [clips, modalities], to [clips, clip]."""
        if self.gating is not None:
            experts = self.gating(experts, present)
        embedded = [
            embed(expert) * present[:, e, None]
            for e, (embed, expert) in enumerate(zip(self.embed, experts, strict=True))
        ]
        joined = torch.cat([*embedded, present.to(embedded[0].dtype)], dim=1)
        return normalize(self.project(joined).to(self.project.weight.dtype))


def _sum_per_trailer(sequences: Tensor, spans: Spans) -> Tensor:
    """Sum [sequences, width] over each trailer: [trailers, width]."""
    total = sequences.new_zeros(len(spans.counts), sequences.shape[1])
    return total.index_add(0, spans.trailer.to(sequences.device), sequences)


class TrailerEncoder(nn.Module):
    """Sequences to a trailer: concatenated into slots or summed, then the bottleneck k."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.slots = config.slots if config.aggregate == "concat" else 0
        width = config.sequence * max(self.slots, 1)
        self.first = linear_for_relu(width, config.bottleneck)
        self.second = linear_for_relu(config.bottleneck, config.bottleneck)
        start_equal(self.first.weight, max(self.slots, 1))

    def forward(self, sequences: Tensor, spans: Spans) -> Tensor:
        """[sequences, width] to [trailers, bottleneck]."""
        joined = self._join(sequences, spans)
        # Slots that no trailer of the batch fills are zero: their columns have no effect.
        hidden = linear(joined, self.first.weight[:, : joined.shape[1]], self.first.bias)
        trailer: Tensor = self.second(hidden.relu()).relu()
        return trailer

    def _join(self, sequences: Tensor, spans: Spans) -> Tensor:
        """[trailers, filled slots * width], or [trailers, width] summed."""
        if self.slots == 0:
            return _sum_per_trailer(sequences, spans)
        index = slot_index(spans.counts, self.slots).to(sequences.device)
        return gather_or_zero(sequences, index).flatten(1)


class SequenceHead(nn.Module):
    """Genres per sequence: k with an output layer for logits (section 3.2)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.hidden = mlp(config.sequence, config.bottleneck, last=True)
        self.out = nn.Linear(config.bottleneck, config.classes)

    def forward(self, sequences: Tensor) -> Tensor:
        """[sequences, sequence] to logits [sequences, classes]."""
        logits: Tensor = self.out(self.hidden(sequences))
        return logits

    def mean(self, sequences: Tensor, spans: Spans) -> Tensor:
        """Mean hidden vector of each trailer, [trailers, bottleneck].

        As `out` is linear, its logits for this mean are the mean of its sequences' logits.
        """
        total = _sum_per_trailer(self.hidden(sequences), spans)
        return total / spans.counts[:, None].to(total.device)


class PooledSpace(nn.Module):
    """A linear projection of a trailer's mean features, all modalities side by side."""

    centre: Tensor

    def __init__(self, width: int, pooled: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(width))
        self.project = nn.Linear(width, pooled, bias=False)

    def forward(self, means: Tensor) -> Tensor:
        """[trailers, width] to [trailers, pooled]."""
        projected: Tensor = self.project(means - self.centre)
        return projected


class Network(nn.Module):
    """The whole model. A `probe` sequence head sends no gradients to the rest."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.inputs = nn.ModuleDict({m.name: ModalityInput(m, config) for m in config.modalities})
        self.fusion = Fusion(config)
        sequence, trailer, view = config.sequence, config.bottleneck, config.projection
        whole = config.sequence_head != "only"
        self.j = mlp(config.sequence_length * config.clip, sequence, sequence, last=True)
        start_equal(self.j[0].get_parameter("weight"), config.sequence_length)
        self.k = TrailerEncoder(config) if whole else None
        self.l = mlp(trailer, config.classifier, config.classes, last=False) if whole else None
        self.m = mlp(trailer, view, view, last=False)
        self.n = mlp(view, view, view, last=False)
        self.sequence_head = None if config.sequence_head == "none" else SequenceHead(config)
        self.pooled: PooledSpace | None = self._pooled_space() if config.pooled else None

    def _pooled_space(self) -> PooledSpace:
        width = sum(modality.width for modality in self.config.modalities)
        return PooledSpace(width, self.config.pooled)

    def add_pooled_space(self, centre: Tensor, projection: Tensor) -> None:
        """Compare trailers by (means - centre) projected from now on.

        Args:
            centre: [width], of `means`.
            projection: [pooled, width].
        """
        self.config = replace(self.config, pooled=len(projection))
        self.pooled = self._pooled_space().to(centre.device)
        self.pooled.centre.copy_(centre)
        with torch.no_grad():
            self.pooled.project.weight.copy_(projection)

    def standardise(self, statistics: dict[str, tuple[Tensor, Tensor]]) -> None:
        """Set the (mean, scale) that inputs are standardised with, each [width], by modality."""
        for name, (mean, scale) in statistics.items():
            self.inputs[name].get_buffer("mean").copy_(mean)
            self.inputs[name].get_buffer("scale").copy_(scale)

    @property
    def scales(self) -> dict[str, Tensor]:
        """The scale that inputs are divided by, [width] by modality."""
        return {name: module.get_buffer("scale") for name, module in self.inputs.items()}

    def encode(self, batch: Batch) -> Encoded:
        """Embed clips, sequences and trailers."""
        clips = self._clips(batch)
        length = self.config.sequence_length
        spans = cut_spans(batch.lengths, length, self.config.sequence_stride)
        index = clip_index(spans, batch.lengths, length).to(clips.device)
        sequences = self.j(gather_or_zero(clips, index).flatten(1))
        trailers = self._embedder(sequences, spans)
        return Encoded(clips, sequences, trailers, self.pool(batch), spans)

    def pool(self, batch: Batch) -> Tensor | None:
        """Project the mean features, to [trailers, config.pooled]; None without a projection."""
        return None if self.pooled is None else self.pooled(self.means(batch))

    def means(self, batch: Batch) -> Tensor:
        """Mean of each trailer's standardised features, modalities side by side, [trailers, width].

        A modality that a trailer lacks is zero, the mean of the training split.
        """
        owner = torch.repeat_interleave(torch.arange(len(batch.lengths)), batch.lengths)
        columns = []
        for modality in self.config.modalities:
            feature, own = batch.features[modality.name], self.inputs[modality.name]
            values = (feature.values - own.get_buffer("mean")) / own.get_buffer("scale")
            row = owner[feature.clips.cpu()].repeat_interleave(feature.counts)
            total = values.new_zeros(len(batch.lengths), modality.width)
            total = total.index_add(0, row.to(values.device), values)
            count = torch.bincount(row, minlength=len(batch.lengths)).clamp(min=1)
            columns.append(total / count[:, None].to(values.device))
        return torch.cat(columns, dim=1)

    def forward(self, batch: Batch) -> Output:
        """Embed and classify."""
        encoded = self.encode(batch)
        return Output(
            **vars(encoded),
            logits=self._classifier(encoded.trailer),
            sequence_logits=self._sequence_logits(encoded.sequences),
        )

    def project(self, trailer: Tensor) -> Tensor:
        """The contrastive projection n(m(x)): [trailers, bottleneck] to [trailers, projection]."""
        projection: Tensor = self.n(self.m(trailer))
        return projection

    @property
    def _embedder(self) -> Callable[[Tensor, Spans], Tensor]:
        """The function from sequences to trailers."""
        if self.k is not None:
            return self.k
        assert self.sequence_head is not None
        return self.sequence_head.mean

    @property
    def _classifier(self) -> Callable[[Tensor], Tensor]:
        """The function from trailers to logits."""
        if self.l is not None:
            return self.l
        assert self.sequence_head is not None
        return self.sequence_head.out

    def _sequence_logits(self, sequences: Tensor) -> Tensor | None:
        """Genres of each sequence; a probe sends no gradient back."""
        if self.sequence_head is None:
            return None
        probe = self.config.sequence_head == "probe"
        logits: Tensor = self.sequence_head(sequences.detach() if probe else sequences)
        return logits

    def _clips(self, batch: Batch) -> Tensor:
        """Vectors of all clips, [clips, clip]."""
        total = batch.clips
        names = [modality.name for modality in self.config.modalities]
        experts = [self.inputs[name](batch.features[name], total) for name in names]
        present = torch.stack(
            [_presence(batch.features[name].clips, total) for name in names], dim=1
        )
        fused: Tensor = self.fusion(experts, present)
        return fused


def _presence(clips: Tensor, total: int) -> Tensor:
    """Bool [total], true at the positions `clips`."""
    return torch.zeros(total, dtype=torch.bool, device=clips.device).index_fill(0, clips, True)
