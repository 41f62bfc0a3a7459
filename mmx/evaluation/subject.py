"""What is evaluated: a collection, with the outputs of the coarse and the fine model."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mmx.evaluation import untrained
from mmx.evaluation.scores import sigmoid
from mmx.params import EvaluateParams
from mmx.training.data import Collection, read_collection
from mmx.training.embed import Embedded, classify_clips, embed_collection
from mmx.training.load import load_description, load_network


@dataclass(frozen=True)
class Subject:
    """The trailers that have a split, always in the same order: N trailers, G genres."""

    collection: Collection
    genres: list[str]
    """The vocabulary."""
    coarse: Embedded
    fine: Embedded
    clip_logits: NDArray[np.floating] | None
    """Genres of every clip on its own by the coarse model's sequence head, if it has one."""
    films: list[str]
    """The film that each trailer is of (`group_id`)."""
    params: EvaluateParams

    @property
    def ids(self) -> list[str]:
        """Ids of the trailers, sorted."""
        return self.collection.ids

    @property
    def embedded(self) -> dict[str, Embedded]:
        """The outputs of both models by name."""
        return {"coarse": self.coarse, "fine": self.fine}

    @cached_property
    def pooled(self) -> dict[str, NDArray[np.float64]]:
        """Each trailer's mean of its standardised features, N x D, by modality."""
        return untrained.pool(self.collection)

    @cached_property
    def spaces(self) -> dict[str, NDArray[np.floating]]:
        """The spaces in which trailers are compared, N x D each: two untrained ones come first."""
        joined, train = untrained.join(self.pooled), self.collection.members("train")
        whitened = untrained.whiten(joined, train, self.params.components)
        trained = {name: embedded.trailer for name, embedded in self.embedded.items()}
        return {"untrained": joined, "whitened": whitened, **trained}

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Probabilities of the coarse model, N x G."""
        return sigmoid(self.coarse.logits)

    @property
    def sets(self) -> list[tuple[str, ...]]:
        """Each trailer's genres in the order of the vocabulary."""
        return [
            tuple(self.genres[g] for g in np.flatnonzero(row)) for row in self.collection.labels
        ]

    @property
    def labels(self) -> list[list[int]]:
        """Each trailer's genres as positions in the vocabulary, the primary one first."""
        rows = zip(self.collection.labels, self.collection.primary, strict=True)
        return [
            sorted(np.flatnonzero(row).tolist(), key=lambda genre: (genre != first, genre))
            for row, first in rows
        ]

    @property
    def names(self) -> list[list[str]]:
        """Each trailer's genres by name, the primary one first."""
        return [[self.genres[genre] for genre in row] for row in self.labels]


def read_subject(
    *,
    features: Path,
    trailers: Path,
    splits: Path,
    coarse: Path,
    fine: Path,
    params: EvaluateParams,
) -> Subject:
    """Read the collection that the coarse model was trained on, and embed it with both models.

    Raises:
        CollectionError: features and models do not match.
    """
    description = load_description(coarse)
    collection = read_collection(
        features, trailers, splits, description.experts, description.genres
    )
    network = load_network(coarse)
    return Subject(
        collection,
        description.genres,
        coarse=embed_collection(network, collection),
        fine=embed_collection(load_network(fine), collection),
        clip_logits=classify_clips(network, collection),
        films=_read_films(splits, collection.ids),
        params=params,
    )


def _read_films(splits: Path, trailers: Sequence[str]) -> list[str]:
    """Return the film of each of these trailers, by splits.parquet."""
    rows = pq.read_table(splits, columns=["trailer_id", "group_id"]).to_pydict()
    films = dict(zip(rows["trailer_id"], rows["group_id"], strict=True))
    return [films[trailer] for trailer in trailers]


def mean_sequences(embedded: Embedded) -> NDArray[np.float64] | None:
    """Return each trailer's mean of its sequences' logits, N x G; None without a sequence head."""
    if embedded.sequence_logits is None:
        return None
    total = np.zeros(embedded.logits.shape)
    np.add.at(total, embedded.sequence_trailer, embedded.sequence_logits)
    return total / np.bincount(embedded.sequence_trailer)[:, None]
