"""The collection, the models and predictions for other programs, without the command line.

import mmx
from torch.utils.data import DataLoader

model = mmx.load_model("models/coarse")
dataset = mmx.TrailerDataset(".", split="test")
for batch, labels in DataLoader(dataset, batch_size=32, collate_fn=dataset.collate):
    probabilities = model.network(batch).logits.sigmoid()
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from mmx import prediction
from mmx.layout import Layout
from mmx.model.batch import Batch, Feature
from mmx.model.network import Network
from mmx.paramsfile import load_params
from mmx.prediction import Prediction
from mmx.project import open_project
from mmx.training.data import SPLITS, Collection, Experts, read_collection
from mmx.training.errors import CollectionError
from mmx.training.load import load_description, load_network


@dataclass(frozen=True)
class Model:
    """A trained model: a network in evaluation mode, and what its inputs and outputs mean."""

    network: Network
    """A torch module; called with a `Batch` it returns logits and embeddings."""
    experts: dict[str, list[str]]
    """The experts of each modality that it takes."""
    genres: list[str]
    """In the order of the logits."""


@dataclass(frozen=True)
class Trailer:
    """One trailer of a `TrailerDataset`."""

    trailer_id: str
    batch: Batch
    """Its clips, as a batch of this trailer alone."""
    labels: Tensor
    """float32 [genres], 0 or 1."""


def load_model(folder: str | Path) -> Model:
    """Load a model from its folder, such as `models/coarse` or `models/fine`, onto the CPU.

    Raises:
        FileNotFoundError: there is no model.
    """
    description = load_description(Path(folder))
    return Model(load_network(Path(folder)), description.experts, description.genres)


class TrailerDataset(Dataset[Trailer]):
    """The trailers of a project that have a split, for torch: an item is a `Trailer`."""

    def __init__(
        self,
        project: str | Path = ".",
        split: str | None = None,
        *,
        experts: Experts | None = None,
    ) -> None:
        """Read embeddings, labels and splits into memory.

        Args:
            project: a project whose feature store and split are made.
            split: `train`, `validation` or `test`; all three by default.
            experts: the experts of each modality; as params.yaml's `model.modalities` by default.

        Raises:
            CollectionError: the store lacks an expert or a trailer; there is no such split.
            ParamsError: `project` is no project.
        """
        if split not in (None, *SPLITS):
            raise CollectionError(f"there is no split {split}; there are {', '.join(SPLITS)}")
        layout = Layout(Path(project))
        params = load_params(layout.params)
        self.genres = list(params.collection.genres)
        """In the order of the labels."""
        self.collection: Collection = read_collection(
            layout.features,
            layout.trailers,
            layout.splits,
            experts or params.model.modalities,
            self.genres,
        )
        """All trailers as arrays."""
        known = range(len(self.collection.ids))
        self.members = list(known) if split is None else self.collection.members(split).tolist()
        """Positions of the dataset's trailers in the collection."""

    def __len__(self) -> int:
        """Return the number of trailers."""
        return len(self.members)

    def __getitem__(self, index: int) -> Trailer:
        """Return one trailer."""
        member = self.members[index]
        labels = torch.from_numpy(self.collection.labels[member]).float()
        return Trailer(self.collection.ids[member], self.collection.trailers([member]), labels)

    @staticmethod
    def collate(trailers: Sequence[Trailer]) -> tuple[Batch, Tensor]:
        """Join trailers: a batch for a network, and labels, float32 [trailers, genres]."""
        lengths = torch.cat([trailer.batch.lengths for trailer in trailers])
        first = (torch.cumsum(lengths, 0) - lengths).tolist()
        features = {
            name: _join_feature([trailer.batch.features[name] for trailer in trailers], first)
            for name in trailers[0].batch.features
        }
        return Batch(features, lengths), torch.stack([trailer.labels for trailer in trailers])


def _join_feature(features: Sequence[Feature], first: Sequence[int]) -> Feature:
    """Join one modality of several trailers, whose clips begin at `first` in the batch."""
    clips = [one.clips + start for one, start in zip(features, first, strict=True)]
    values, counts = ([getattr(one, name) for one in features] for name in ("values", "counts"))
    return Feature(torch.cat(values), torch.cat(clips), torch.cat(counts))


def predict(videos: Sequence[str | Path], project: str | Path = ".") -> list[Prediction]:
    """Return genres, sequences, nearest trailers and embedding of videos, by a project's models.

    The steps of the pipeline run on the videos in a temporary folder; the project is unchanged.

    Args:
        videos: files.
        project: a folder in a project whose models are trained.

    Raises:
        PredictError: a video cannot be read or has no clip.
        ParamsError: `project` is no project.
    """
    return prediction.predict(open_project(Path(project)), [Path(video) for video in videos])
