"""The collection as arrays, and batches of it without padding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

from mmx.features.load import ExpertView, Features, load
from mmx.features.read import list_experts
from mmx.model.batch import Batch, Feature
from mmx.model.config import Modality
from mmx.training.errors import CollectionError

SPLITS = ("train", "validation", "test")

Experts = Mapping[str, Sequence[str]]
"""The experts of each modality."""


@dataclass(frozen=True)
class Column:
    """One modality for all clips."""

    values: np.ndarray
    """float32 [clips, width]; [vectors, width] for a sequence."""
    present: np.ndarray
    """bool [clips]."""
    offsets: np.ndarray | None
    """int64 [clips + 1]: the vectors of clip i are values[offsets[i]:offsets[i + 1]]; or None."""

    def pick(self, clips: np.ndarray) -> Feature:
        """Return the clips numbered `clips` (int64 [n]) as one modality of a batch."""
        kept = np.flatnonzero(self.present[clips])
        rows = clips[kept]
        counts = np.ones(len(rows), np.int64)
        if self.offsets is not None:
            counts = self.offsets[rows + 1] - self.offsets[rows]
            first = np.repeat(self.offsets[rows] - (np.cumsum(counts) - counts), counts)
            rows = first + np.arange(len(first))
        values = torch.from_numpy(self.values[rows])
        return Feature(values, torch.from_numpy(kept), torch.from_numpy(counts))


@dataclass(frozen=True)
class Collection:
    """Trailers with their clips, modalities, labels and splits."""

    ids: list[str]
    """Sorted."""
    offsets: np.ndarray
    """int64 [trailers + 1]: trailer i has the clips offsets[i]:offsets[i + 1]."""
    columns: dict[str, Column]
    """By modality."""
    labels: np.ndarray
    """uint8 [trailers, genres]."""
    primary: np.ndarray
    """int64 [trailers]: the first genre in the manifest; -1 if unknown."""
    split: np.ndarray
    """str [trailers]: train, validation or test; empty if unknown."""
    films: np.ndarray
    """int64 [trailers]: trailers of one film have the same number."""

    @property
    def lengths(self) -> np.ndarray:
        """Clips per trailer, int64 [trailers]."""
        return np.diff(self.offsets)

    @property
    def identity(self) -> list[object]:
        """Everything that a training uses except the embeddings, as JSON data."""
        arrays = (self.lengths, self.labels, self.split, self.films)
        return [self.ids, *(array.tolist() for array in arrays)]

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The inputs of a network for this collection, in order."""
        return tuple(
            Modality(name, column.values.shape[1], column.offsets is not None)
            for name, column in self.columns.items()
        )

    def members(self, split: str) -> np.ndarray:
        """Positions of the trailers of a split, int64, ascending."""
        return np.flatnonzero(self.split == split)

    def clips_of(self, trailer: int) -> np.ndarray:
        """Numbers of a trailer's clips, int64, ascending."""
        return np.arange(self.offsets[trailer], self.offsets[trailer + 1])

    def batch(self, views: Sequence[np.ndarray]) -> Batch:
        """Collate runs of clips, each int64 and not empty, as the trailers of a batch."""
        clips = np.concatenate(views)
        features = {name: column.pick(clips) for name, column in self.columns.items()}
        return Batch(features, torch.tensor([len(view) for view in views]))

    def trailers(self, members: Sequence[int] | np.ndarray) -> Batch:
        """Collate whole trailers."""
        return self.batch([self.clips_of(trailer) for trailer in members])

    def select(self, modalities: Sequence[str]) -> "Collection":
        """Return the collection with only these modalities."""
        return replace(self, columns={name: self.columns[name] for name in modalities})


def collect(view: Features, experts: Experts) -> Collection:
    """Make an unlabelled collection from loaded features.

    Raises:
        CollectionError: an embedding is not finite, or vectors cannot be joined.
    """
    columns = {
        name: _join(name, [view.experts[expert] for expert in members])
        for name, members in experts.items()
    }
    count = len(view.trailer_ids)
    return Collection(
        ids=list(view.trailer_ids),
        offsets=view.clip_offsets,
        columns=columns,
        labels=np.zeros((count, 0), np.uint8),
        primary=np.full(count, -1),
        split=np.full(count, "", dtype="U10"),
        films=np.arange(count),
    )


def read_collection(
    features: Path, trailers: Path, splits: Path, experts: Experts, genres: Sequence[str]
) -> Collection:
    """Read embeddings, labels and splits of the trailers that have a split.

    Args:
        features: folder of the feature store.
        trailers: trailers.parquet.
        splits: splits.parquet.
        experts: the experts of each modality.
        genres: the vocabulary, in the order of the logits.

    Raises:
        CollectionError: the store lacks an expert or a trailer, a trailer has a genre outside
            the vocabulary, or an embedding is not finite.
    """
    placed = dict(_pairs(splits, "split"))
    known = list_experts(features)
    missing = [name for members in experts.values() for name in members if name not in known]
    if missing:
        raise CollectionError(f"the feature store has no expert {', '.join(missing)}")
    if not placed:
        raise CollectionError("no trailer has a split: the collection is too small")
    names = [name for members in experts.values() for name in members]
    collection = collect(load(features, sorted(placed), names), experts)
    absent = sorted(set(placed) - set(collection.ids))
    if absent:
        raise CollectionError(f"the feature store has no clips of {', '.join(absent[:5])}")
    given = dict(_pairs(trailers, "genres"))
    labels, primary = encode_labels([given[name] for name in collection.ids], genres)
    split = np.array([placed[name] for name in collection.ids], dtype="U10")
    groups = dict(_pairs(splits, "group_id"))
    films = np.unique([groups[name] for name in collection.ids], return_inverse=True)[1]
    return replace(collection, labels=labels, primary=primary, split=split, films=films)


def encode_labels(
    given: Sequence[Sequence[str]], genres: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Turn lists of genres into uint8 [trailers, genres] and the first one's number, int64.

    Raises:
        CollectionError: a genre is not in the vocabulary.
    """
    number = {genre: position for position, genre in enumerate(genres)}
    unknown = sorted({genre for row in given for genre in row} - set(number))
    if unknown:
        raise CollectionError(f"genres outside the vocabulary: {', '.join(unknown)}")
    labels = np.zeros((len(given), len(genres)), np.uint8)
    for row, names in enumerate(given):
        labels[row, [number[genre] for genre in names]] = 1
    return labels, np.array([number[names[0]] if names else -1 for names in given])


def standards(
    collection: Collection, members: np.ndarray
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Mean and scale of each modality over some trailers, to standardise the network's inputs.

    The scale is the standard deviation, or 1 for a constant feature and for a modality that these
    trailers lack.

    Returns:
        By modality, two float32 tensors [width].
    """
    return {
        name: _standard(column, [collection.clips_of(trailer) for trailer in members])
        for name, column in collection.columns.items()
    }


def _standard(column: Column, trailers: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and scale of one modality, in two passes that hold one trailer at a time."""
    width = column.values.shape[1]
    total, squares, count = np.zeros(width), np.zeros(width), 0
    for clips in trailers:
        values = column.pick(clips).values.numpy()
        total += values.sum(0, dtype=np.float64)
        count += len(values)
    mean = total / max(count, 1)
    for clips in trailers:
        squares += np.square(column.pick(clips).values.numpy() - mean).sum(0)
    scale = np.sqrt(squares / max(count, 1))
    # By rounding, a constant feature has a deviation of about 1e-8 of its size.
    scale[scale <= 1e-6 * np.abs(mean) + 1e-12] = 1.0
    return torch.from_numpy(mean.astype(np.float32)), torch.from_numpy(scale.astype(np.float32))


def _join(name: str, experts: Sequence[ExpertView]) -> Column:
    """One modality of one or several experts side by side; a missing one of several is zero."""
    for expert in experts:
        if not np.isfinite(expert.values).all():
            raise CollectionError(f"expert {expert.name} has embeddings that are not finite")
    if len(experts) == 1:
        only = experts[0]
        # A clip without any vector of a sequence expert counts as missing.
        heard = only.present if only.offsets is None else np.diff(only.offsets) > 0
        return Column(only.values, heard, only.offsets)
    if any(expert.offsets is not None for expert in experts):
        raise CollectionError(f"{name}: only experts with one vector per clip can be joined")
    values = np.concatenate([expert.values for expert in experts], axis=1)
    return Column(values, np.logical_or.reduce([expert.present for expert in experts]), None)


def _pairs(path: Path, column: str) -> list[tuple[str, Any]]:
    """trailer_id and another column of a table; only accepted rows if it has a status."""
    table = pq.read_table(path)
    if "status" in table.column_names:
        table = table.filter(pc.equal(table["status"], "accepted"))
    return list(zip(table["trailer_id"].to_pylist(), table[column].to_pylist(), strict=True))
