"""Learning: does the model learn genres, does gating help, what does fine-tuning find?

    python benchmarks/learning.py PROJECT STYLES.csv [--seeds 5] [--folds 5] [--epochs N]
                                  [--parts genres noise styles] [--json FILE]

PROJECT is a folder whose feature store and splits are built, of a generated collection (120
trailers or more); STYLES.csv names each trailer's hidden style, which is in no label and which no
training sees. For every seed the collection is cut into folds, stratified by genre, a film's
trailers together; a model per fold is trained on the others, as params.yaml says (--epochs: with
so many epochs of coarse training instead).

`genres`: out-of-fold predictions of every trailer, scored at once: the full model, each modality
alone, naive concatenation, the random baseline. `noise`: gating against naive concatenation when
one modality, another with each seed, is noise of the same mean and deviation; `gain` is paired.
`styles`: the coarse space, and the spaces that fine-tuning makes of it by each set of options: how
often the nearest trailers of a held-out one, among all, share its primary genre or its hidden
style, beside chance; silhouettes.
Figures are means over seeds with their standard deviation.
"""

import argparse
import copy
import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

from mmx.evaluation import clusters, retrieval, scores
from mmx.evaluation.ablations import VARIANTS, vary
from mmx.evaluation.retrieval import Neighbours
from mmx.layout import Layout
from mmx.params import FinetuneParams, ModelParams, Params, TrainParams
from mmx.paramsfile import load_params
from mmx.training.coarse import train
from mmx.training.data import Collection, Column, read_collection
from mmx.training.embed import Embedded, embed_collection
from mmx.training.fine import finetune
from mmx.training.load import configure

Json = dict[str, Any]
WATCHED = 2
"""Validation trailers per fold; they have no effect on the result."""
MODELS = ("full", "appearance", "scene", "motion", "audio", "naive")

OPTIONS: dict[str, dict[str, Any]] = {
    "published": {},
    "temperature": {"temperature": 0.1},
    "shuffled": {"pairs": "shuffled"},
    "strong": {
        "pairs": "shuffled",
        "temperature": 0.1,
        "clip_dropout": 0.3,
        "feature_noise": 0.2,
        "lr": 1e-3,
        "epochs": 30,
        "constant_epochs": 5,
    },
}
"""Options of fine-tuning: as published, and changes to it."""


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


def predict(setup: Setup, collection: Collection, model: ModelParams, seed: int) -> np.ndarray:
    """Return every trailer's probabilities by the model that did not see it, [trailers, genres]."""
    fold = cut(setup, seed)
    probabilities = np.empty(collection.labels.shape)
    for number in range(setup.folds):
        held = hold_out(collection, fold, number)
        _, embedded = learn(held, model, setup.params.train, seed)
        members = held.members("test")
        probabilities[members] = scores.sigmoid(embedded.logits[members])
    return probabilities


def figures(setup: Setup, probabilities: np.ndarray) -> Json:
    """Return the averages of out-of-fold predictions."""
    threshold = setup.params.evaluate.threshold
    record = scores.score(setup.collection.labels, probabilities, setup.genres, threshold)
    return averages(record)


def averages(record: Json) -> Json:
    """The overall figures of a record."""
    return {
        "ap_weighted": record["ap"]["weighted"],
        "ap_micro": record["ap"]["micro"],
        "ap_macro": record["ap"]["macro"],
        "f1_weighted": record["f1"]["weighted"],
    }


def measure_genres(setup: Setup, seed: int) -> Json:
    """Score each model's out-of-fold predictions."""
    found = {"random": averages(scores.score_random(setup.collection.labels, setup.genres))}
    own = setup.params.model
    for name in MODELS:
        if set(VARIANTS[name].modalities) <= set(own.modalities):
            model = vary(own, VARIANTS[name])
            found[name] = figures(setup, predict(setup, setup.collection, model, seed))
    return found


def add_noise(collection: Collection, modality: str, seed: int) -> Collection:
    """Return the collection with one modality's values drawn at random, each like its feature."""
    column = collection.columns[modality]
    rng = np.random.default_rng(seed)
    mean, deviation = column.values.mean(axis=0), column.values.std(axis=0)
    drawn = rng.normal(mean, deviation, column.values.shape).astype(np.float32)
    columns = {**collection.columns, modality: Column(drawn, column.present, column.offsets)}
    return replace(collection, columns=columns)


def measure_noise(setup: Setup, seed: int) -> Json:
    """Score gating and naive concatenation where one modality, another each seed, is noise."""
    modalities = list(setup.params.model.modalities)
    collection = add_noise(setup.collection, modalities[seed % len(modalities)], seed)
    found = {
        name: figures(
            setup, predict(setup, collection, vary(setup.params.model, VARIANTS[kind]), seed)
        )
        for name, kind in (("gated", "full"), ("naive", "naive"))
    }
    gain = {name: found["gated"][name] - found["naive"][name] for name in found["gated"]}
    return found | {"gain": gain}


def measure_styles(setup: Setup, seed: int) -> Json:
    """Measure the coarse space and what each set of options makes of it, over all folds."""
    fold = cut(setup, seed)
    spaces: dict[str, list[Json]] = {}
    for number in range(setup.folds):
        held = hold_out(setup.collection, fold, number)
        network, embedded = learn(held, setup.params.model, setup.params.train, seed)
        spaces.setdefault("coarse", []).append(measure_space(setup, held, embedded.trailer))
        for name, changes in OPTIONS.items():
            params = change(setup.params.finetune, changes)
            tuned = finetune(copy.deepcopy(network), held, seeded(params, seed), device="cpu")
            vectors = embed_collection(tuned.network, held).trailer
            spaces.setdefault(name, []).append(measure_space(setup, held, vectors))
    return {name: scores.summarise(rows)[0] for name, rows in spaces.items()}


def change(params: FinetuneParams, changes: Mapping[str, Any]) -> FinetuneParams:
    """Return validated parameters with some of them changed."""
    return FinetuneParams.model_validate({**params.model_dump(), **changes})


def chance(found: Neighbours, groups: Sequence[str]) -> float:
    """Return how often a neighbour would be of its query's group by chance."""
    agreement = retrieval.group_agreement(found, groups)
    assert agreement is not None, "there are no neighbours"
    return agreement.chance


def measure_space(setup: Setup, held: Collection, vectors: np.ndarray) -> Json:
    """Return agreement of held-out trailers' nearest, among all, and silhouettes over all."""
    found = retrieval.neighbours(vectors, setup.params.evaluate.neighbours)
    members = held.members("test")
    groups = {"genre": held.primary.tolist(), "style": setup.styles}
    return {
        name: {
            "agreement": float((own[found.index[members]] == own[members, None]).mean()),
            "chance": chance(found, group),
            "silhouette": clusters.silhouette(vectors, group),
        }
        for name, group in groups.items()
        for own in [np.array(group)]
    }


PARTS = {"genres": measure_genres, "noise": measure_noise, "styles": measure_styles}


def run_part(task: tuple[str, Setup, int]) -> Json:
    """Run one part with one seed, in a process of its own."""
    part, setup, seed = task
    return PARTS[part](setup, seed)


def measure(setup: Setup, seeds: int, parts: Sequence[str], workers: int) -> Json:
    """Run every part with every seed; return mean, deviation and runs of each."""
    tasks = [(part, setup, seed) for part in parts for seed in range(seeds)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        runs = list(pool.map(run_part, tasks))
    found = {}
    for number, part in enumerate(parts):
        own = runs[number * seeds : (number + 1) * seeds]
        mean, deviation = scores.summarise(own)
        found[part] = {"mean": mean, "spread": deviation, "runs": own}
    trailers = len(setup.collection.ids)
    return {"trailers": trailers, "folds": setup.folds, "seeds": seeds, **found}


def lines(mean: Json, deviation: Json, path: str = "") -> Iterator[str]:
    """Return one readable line per figure."""
    for name, value in mean.items():
        place = f"{path}{name}"
        if isinstance(value, dict):
            yield from lines(value, deviation[name], f"{place}.")
        elif value is not None:
            around = "" if deviation[name] is None else f" ± {deviation[name]:.4f}"
            yield f"{place:<38} {value:8.4f}{around}"


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("styles", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    setup = read_setup(arguments.project, arguments.styles, arguments.folds, arguments.epochs)
    found = measure(setup, arguments.seeds, arguments.parts, arguments.workers)
    print(f"{found['trailers']} trailers, {found['folds']} folds, {found['seeds']} seeds")
    for part in arguments.parts:
        print("\n".join(["", part, *lines(found[part]["mean"], found[part]["spread"])]))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
