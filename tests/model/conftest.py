"""Small networks and batches; everything seeded."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from mmx.model.batch import Batch, Feature
from mmx.model.config import Modality, NetworkConfig
from mmx.model.network import Network

MODALITIES = (
    Modality("appearance", 11),
    Modality("scene", 7),
    Modality("motion", 5),
    Modality("audio", 6, sequence=True),
)
SMALL: dict[str, Any] = {
    "modalities": MODALITIES,
    "classes": 4,
    "dim": 8,
    "clusters": 3,
    "clip": 10,
    "sequence_length": 3,
    "sequence_stride": 3,
    "sequence": 12,
    "slots": 4,
    "bottleneck": 16,
    "classifier": 9,
    "projection": 5,
}

BatchMaker = Callable[..., Batch]
NetworkMaker = Callable[..., Network]


@pytest.fixture
def small() -> dict[str, Any]:
    """Arguments of a small NetworkConfig."""
    return dict(SMALL)


@pytest.fixture
def make_network() -> NetworkMaker:
    """Build a small network in float64, so that two ways of computing agree to rounding.

    Its weights differ from the initial ones, in which positions are equal and biases zero.
    """

    def make(seed: int = 0, **changes: Any) -> Network:
        torch.manual_seed(seed)
        network = Network(NetworkConfig(**{**SMALL, **changes})).double()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.2 * torch.randn_like(parameter))
        for module in network.inputs.values():
            module.get_buffer("mean").normal_()
            module.get_buffer("scale").uniform_(0.5, 2)
        return network

    return make


@pytest.fixture
def make_batch() -> BatchMaker:
    """Random clips; `missing` names, by modality, the clips (of all) that lack it."""

    def make(
        lengths: Sequence[int],
        missing: dict[str, Sequence[int]] | None = None,
        modalities: Sequence[Modality] = MODALITIES,
        seed: int = 0,
    ) -> Batch:
        generator = torch.Generator().manual_seed(seed)
        features = {}
        for modality in modalities:
            absent = set((missing or {}).get(modality.name, ()))
            clips = torch.tensor([c for c in range(sum(lengths)) if c not in absent]).long()
            counts = torch.ones(len(clips), dtype=torch.int64)
            if modality.sequence:
                counts = torch.randint(1, 5, (len(clips),), generator=generator)
            shape = int(counts.sum()), modality.width
            values = torch.randn(shape, generator=generator, dtype=torch.float64)
            features[modality.name] = Feature(values, clips, counts)
        return Batch(features, torch.tensor(list(lengths)))

    return make


@pytest.fixture
def cut() -> Callable[[Batch, Sequence[int]], Batch]:
    """Pick trailers out of a batch, in the given order, by loops."""

    def pick(batch: Batch, trailers: Sequence[int]) -> Batch:
        begin = [int(batch.lengths[:t].sum()) for t in trailers]
        wanted = [
            b + i
            for b, t in zip(begin, trailers, strict=True)
            for i in range(int(batch.lengths[t]))
        ]
        features = {}
        for name, feature in batch.features.items():
            runs = dict(
                zip(
                    feature.clips.tolist(),
                    feature.values.split(feature.counts.tolist()),
                    strict=True,
                )
            )
            kept = [(place, runs[clip]) for place, clip in enumerate(wanted) if clip in runs]
            empty = feature.values[:0]
            features[name] = Feature(
                torch.cat([empty, *(run for _, run in kept)]),
                torch.tensor([place for place, _ in kept]).long(),
                torch.tensor([len(run) for _, run in kept]).long(),
            )
        return Batch(features, batch.lengths[list(trailers)])

    return pick
