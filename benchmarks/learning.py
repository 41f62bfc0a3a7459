"""Learning: does the model learn genres, does gating help, which space shows what genres do not?

    python -m benchmarks.learning PROJECT STYLES.csv [--seeds 5] [--folds 5] [--epochs N]
                                  [--parts genres noise spaces] [--json FILE]

PROJECT is a folder whose feature store and splits are built, of a generated collection (240
trailers or more); STYLES.csv names each trailer's hidden style, which is in no label and which no
training sees. For every seed the collection is cut into folds, stratified by genre, a film's
trailers together; a model per fold is trained on the others, as params.yaml says (--epochs: with
so many epochs of coarse training instead). docs/learning.md has the protocol and what was found.

`genres`: out-of-fold predictions of every trailer, scored at once: the full model, each modality
alone, naive concatenation, the random baseline. `noise`: gating against naive concatenation when
one modality, another with each seed, is noise of the same mean and deviation, with and without
dropout of modalities; gains are paired. `spaces`: see benchmarks/spaces.py.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import spaces
from benchmarks.folds import Setup, cut, hold_out, learn, read_setup
from mmx.evaluation import scores
from mmx.evaluation.ablations import VARIANTS, vary
from mmx.params import ModelParams
from mmx.training.data import Collection, Column

Json = dict[str, Any]
MODELS = ("full", "appearance", "scene", "motion", "audio", "naive")
DROPOUT = 0.2
"""Of modalities, where gating is trained with it."""


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


def summarise_figures(setup: Setup, runs: Sequence[Json]) -> Json:
    """Return the mean and the deviation of all figures over seeds, and the runs."""
    mean, deviation = scores.summarise(list(runs))
    return {"mean": mean, "deviation": deviation, "runs": list(runs)}


def figure_lines(found: Json) -> Iterator[str]:
    """Return one readable line per figure."""
    return lines(found["mean"], found["deviation"])


MEASURES: dict[str, Callable[[Setup, int], Any]] = {
    "genres": measure_genres,
    "noise": measure_noise,
    "spaces": spaces.measure,
}
SUMMARIES: dict[str, Callable[[Setup, Sequence[Any]], Json]] = {
    "genres": summarise_figures,
    "noise": summarise_figures,
    "spaces": spaces.summarise,
}
LINES: dict[str, Callable[[Json], Iterator[str]]] = {
    "genres": figure_lines,
    "noise": figure_lines,
    "spaces": spaces.lines,
}


def run_part(task: tuple[str, Setup, int]) -> Any:
    """Run one part with one seed, in a process of its own."""
    part, setup, seed = task
    return MEASURES[part](setup, seed)


def measure(setup: Setup, seeds: int, parts: Sequence[str], workers: int) -> Json:
    """Run every part with every seed; return each one's summary."""
    tasks = [(part, setup, seed) for part in parts for seed in range(seeds)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        runs = list(pool.map(run_part, tasks))
    found = {
        part: SUMMARIES[part](setup, runs[number * seeds : (number + 1) * seeds])
        for number, part in enumerate(parts)
    }
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
    parser.add_argument("--parts", nargs="+", choices=list(MEASURES), default=list(MEASURES))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    setup = read_setup(arguments.project, arguments.styles, arguments.folds, arguments.epochs)
    found = measure(setup, arguments.seeds, arguments.parts, arguments.workers)
    print(f"{found['trailers']} trailers, {found['folds']} folds, {found['seeds']} seeds")
    for part in arguments.parts:
        print("\n".join(["", part, *LINES[part](found[part])]))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
