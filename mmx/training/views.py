"""The clips of a trailer in a training step: all, with dropout, or as two views."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from mmx.model.batch import Batch, Feature
from mmx.params import FinetuneParams, OptimisationParams
from mmx.training.data import Collection

Pair = tuple[np.ndarray, np.ndarray]


def thin(clips: np.ndarray, dropout: float, generator: torch.Generator) -> np.ndarray:
    """Leave out each clip with probability `dropout`, but never all; keep the order."""
    if dropout == 0.0:
        return clips
    kept = torch.rand(len(clips), generator=generator) >= dropout
    kept[torch.randint(len(clips), (), generator=generator)] = True
    thinned: np.ndarray = clips[kept.numpy()]
    return thinned


def halves(clips: np.ndarray) -> Pair:
    """Cut a trailer's clips (int64 [n], n at least 2) in two; an odd one is in the second."""
    middle = len(clips) // 2
    return clips[:middle], clips[middle:]


def random_sequences(clips: np.ndarray, length: int, generator: torch.Generator) -> Pair:
    """Two runs of `length` consecutive clips that do not overlap, in random order.

    A trailer with fewer than two times `length` clips gives two runs of half its clips.
    """
    length = min(length, len(clips) // 2)
    spare = len(clips) - 2 * length
    first, second = torch.randint(spare + 1, (2,), generator=generator).sort().values.tolist()
    runs = clips[first : first + length], clips[second + length : second + 2 * length]
    return runs if _random_bool(generator) else runs[::-1]


def shuffled_halves(clips: np.ndarray, generator: torch.Generator) -> Pair:
    """Divide a trailer's clips at random into two views of equal size, each in order."""
    order = torch.randperm(len(clips), generator=generator).numpy()
    first, second = halves(order)
    return clips[np.sort(first)], clips[np.sort(second)]


def make_pair(
    clips: np.ndarray, length: int, params: FinetuneParams, generator: torch.Generator
) -> Pair:
    """Two views of a trailer with at least 2 clips, as `params.pairs` says.

    Args:
        clips: int64 [n].
        length: clips of a sequence.
        params: how to pair.
        generator: source of random numbers.
    """
    if params.pairs == "halves":
        return halves(clips)
    if params.pairs == "random":
        return random_sequences(clips, length, generator)
    return shuffled_halves(clips, generator)


def side_by_side(pairs: Sequence[Pair]) -> list[np.ndarray]:
    """All first views, then all second ones."""
    return [first for first, _ in pairs] + [second for _, second in pairs]


def augment(
    collection: Collection,
    views: Sequence[np.ndarray],
    scales: Mapping[str, torch.Tensor],
    params: OptimisationParams,
    generator: torch.Generator,
) -> Batch:
    """Collate views of trailers, with dropout of clips and modalities and noise as `params` say.

    Args:
        collection: the collection of the clips.
        views: numbers of clips, int64, one array per trailer.
        scales: standard deviation of each feature, [width], by modality.
        params: clip_dropout, modality_dropout, feature_noise.
        generator: source of random numbers.
    """
    thinned = [thin(view, params.clip_dropout, generator) for view in views]
    batch = drop_modalities(collection.batch(thinned), params.modality_dropout, generator)
    return add_noise(batch, scales, params.feature_noise, generator)


def drop_modalities(batch: Batch, dropout: float, generator: torch.Generator) -> Batch:
    """Leave out each modality of each trailer with probability `dropout`, but not all it has."""
    if dropout == 0.0:
        return batch
    trailers = len(batch.lengths)
    owner = torch.arange(trailers).repeat_interleave(batch.lengths)
    owners = [owner[feature.clips] for feature in batch.features.values()]
    had = torch.stack([torch.bincount(rows, minlength=trailers) > 0 for rows in owners], dim=1)
    luck = torch.rand(had.shape, generator=generator)
    kept = luck >= dropout
    kept[torch.arange(trailers), (luck * had).argmax(1)] = True
    features = {
        name: _clips_where(feature, kept[rows, column])
        for column, (rows, (name, feature)) in enumerate(
            zip(owners, batch.features.items(), strict=True)
        )
    }
    return replace(batch, features=features)


def _clips_where(feature: Feature, kept: torch.Tensor) -> Feature:
    """Return only the present clips for which `kept` (bool [present]) is true."""
    values = feature.values[kept.repeat_interleave(feature.counts)]
    return Feature(values, feature.clips[kept], feature.counts[kept])


def add_noise(
    batch: Batch, scales: Mapping[str, torch.Tensor], amount: float, generator: torch.Generator
) -> Batch:
    """Add normal noise of `amount` times each feature's scale ([width], by modality)."""
    if amount == 0.0:
        return batch
    features = {}
    for name, feature in batch.features.items():
        noise = torch.randn(feature.values.shape, generator=generator)
        values = feature.values + amount * scales[name].cpu() * noise
        features[name] = replace(feature, values=values)
    return replace(batch, features=features)


def _random_bool(generator: torch.Generator) -> bool:
    """Return True with probability 1/2."""
    return bool(torch.randint(2, (), generator=generator))
