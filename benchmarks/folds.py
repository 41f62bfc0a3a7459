"""Training out of fold: a collection cut into folds, and a model for each that has not seen it."""

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

from mmx.layout import Layout
from mmx.params import ModelParams, Params, TrainParams
from mmx.paramsfile import load_params
from mmx.training.coarse import train
from mmx.training.data import Collection, read_collection
from mmx.training.embed import Embedded, embed_collection
from mmx.training.load import configure

WATCHED = 2
"""Validation trailers per fold; they have no effect on the result."""


@dataclass(frozen=True)
class Setup:
    """The collection, and how to train on it."""

    collection: Collection
    genres: list[str]
    styles: list[str]
    """The hidden style of each trailer."""
    films: list[str]
    """The group of each trailer: trailers of one film share it."""
    params: Params
    folds: int


def read_setup(project: Path, styles: Path, folds: int, epochs: int | None = None) -> Setup:
    """Read a project; raise KeyError for a trailer without a style."""
    layout, params = Layout(project), load_params(project / "params.yaml")
    if epochs:
        coarse = params.train.model_copy(update={"epochs": epochs})
        params = params.model_copy(update={"train": coarse})
    genres = list(params.collection.genres)
    collection = read_collection(
        layout.features, layout.trailers, layout.splits, params.model.modalities, genres
    )
    with styles.open(encoding="utf-8", newline="") as file:
        hidden = {row["trailer_id"]: row["style"] for row in csv.DictReader(file)}
    placed = pq.read_table(layout.splits).to_pydict()
    groups = dict(zip(placed["trailer_id"], placed["group_id"], strict=True))
    names = collection.ids
    return Setup(
        collection, genres, [hidden[n] for n in names], [groups[n] for n in names], params, folds
    )


def cut(setup: Setup, seed: int) -> np.ndarray:
    """Return the fold of every trailer: stratified by genre over films, int64 [trailers]."""
    films = {film: number for number, film in enumerate(dict.fromkeys(setup.films))}
    owner = np.array([films[film] for film in setup.films])
    labels = np.zeros((len(films), len(setup.genres)), int)
    np.maximum.at(labels, owner, setup.collection.labels)
    cutter = MultilabelStratifiedKFold(setup.folds, shuffle=True, random_state=seed)
    fold = np.empty(len(films), int)
    for number, (_, held_out) in enumerate(cutter.split(labels, labels)):
        fold[held_out] = number
    by_trailer: np.ndarray = fold[owner]
    return by_trailer


def hold_out(collection: Collection, fold: np.ndarray, number: int) -> Collection:
    """Return the collection with fold `number` as its test split."""
    split = np.where(fold == number, "test", "train").astype("U10")
    split[np.flatnonzero(fold != number)[:WATCHED]] = "validation"
    return replace(collection, split=split)


def learn(
    collection: Collection, model: ModelParams, params: TrainParams, seed: int
) -> tuple[Any, Embedded]:
    """Train on one fold's training trailers; return the network and its output for all."""
    chosen = collection.select(list(model.modalities))
    config = configure(model, chosen.modalities, chosen.labels.shape[1])
    network = train(chosen, config, seeded(params, seed), device="cpu").network
    return network, embed_collection(network, chosen)


def seeded(params: Any, seed: int) -> Any:
    """Return the same with another seed, on one thread."""
    return params.model_copy(update={"seed": seed, "threads": 1})
