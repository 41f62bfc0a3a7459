"""Ablations: the rows of Tables 2 and 5, trained with several seeds; not in `dvc repro`."""

from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmx.errors import UserError
from mmx.evaluation import scores, tables
from mmx.evaluation.scores import Json
from mmx.params import ModelParams, Params, TrainParams
from mmx.training.coarse import train
from mmx.training.data import Collection, read_collection
from mmx.training.embed import embed_collection
from mmx.training.load import configure

METRICS = "metrics.json"
NAMES = {"appearance": "Image", "scene": "Scene", "motion": "Motion", "audio": "Audio"}
"""The paper's name of each modality."""
LENGTHS = (1, 5, 9, 20)
"""Clips per sequence in Table 5."""


class VariantError(UserError):
    """An unknown variant, or one that needs a modality that the model lacks."""


@dataclass(frozen=True)
class Variant:
    """One row of a table, by its differences from the model in params.yaml."""

    title: str
    modalities: tuple[str, ...] = ()
    """Only these; all if empty."""
    changes: dict[str, Any] = field(default_factory=dict)
    """Fields of ModelParams."""
    length: int | None = None
    """Clips per sequence, and stride of sequences."""


def _variants() -> dict[str, Variant]:
    """Every row of Tables 2 and 5, by the name of its folder."""
    alone = {
        name: Variant(NAMES[name], (name,), {"fusion": "concat"})
        for name in ("scene", "audio", "motion", "appearance")
    }
    pairs = {
        f"{first}-{second}": Variant(f"{NAMES[first]} + {NAMES[second]}", (first, second))
        for first, second in combinations(NAMES, 2)
    }
    whole = {
        "naive": Variant("Naive concatenation", changes={"fusion": "concat"}),
        "full": Variant("Full model"),
        "sequence": Variant("Sequence level", changes={"sequence_head": "only"}),
    }
    lengths = {f"length-{n}": Variant(f"Sequences of {n}", length=n) for n in LENGTHS}
    return alone | pairs | whole | lengths


VARIANTS = _variants()


def vary(model: ModelParams, variant: Variant) -> ModelParams:
    """Return the model's parameters with the changes of the variant.

    Raise VariantError if the model lacks a modality that the variant needs.
    """
    missing = [name for name in variant.modalities if name not in model.modalities]
    if missing:
        raise VariantError(f"{variant.title} needs {' and '.join(missing)}: see model.modalities")
    changes = dict(variant.changes)
    if variant.modalities:
        changes["modalities"] = {name: model.modalities[name] for name in variant.modalities}
    if variant.length is not None:
        sizes = {"length": variant.length, "stride": variant.length}
        changes["sequence"] = {**model.sequence.model_dump(), **sizes}
        changes["slots"] = _slots(model, variant.length)
    return ModelParams.model_validate({**model.model_dump(), **changes})


def _slots(model: ModelParams, length: int) -> int:
    """Slots for as many clips as the model has, for any length of a sequence."""
    return -(-model.slots * model.sequence.stride // length)


def ablate_item(
    *, variant: str, features: Path, trailers: Path, splits: Path, params: Params, out: Path
) -> dict[str, int | float | None]:
    """Train one variant with the seeds train.seed, train.seed + 1, ... and score the test split.

    Writes metrics.json into `out`: title, sequence length, seeds; `runs`, `mean` and `spread`
    (records of `scores.score`); `curves` (precision-recall, averaged over the seeds).

    Args:
        variant: a key of VARIANTS.
        features: folder of the feature store.
        trailers: trailers.parquet.
        splits: splits.parquet.
        params: model and training that the variant changes, threshold, number of seeds.
        out: an empty folder.

    Raises:
        VariantError: there is no such variant, or the model lacks one of its modalities.
        CollectionError: the collection cannot be trained on.
    """
    chosen = _find_variant(variant)
    model = vary(params.model, chosen)
    genres = params.collection.genres
    collection = read_collection(features, trailers, splits, model.modalities, genres)
    members = collection.members("test")
    labels = collection.labels[members]
    trainings = [seeded(params.train, offset) for offset in range(params.ablate.seeds)]
    device = params.run.device
    probabilities = [predict(collection, model, train, members, device) for train in trainings]
    runs = [scores.score(labels, each, genres, params.evaluate.threshold) for each in probabilities]
    mean, deviation = scores.summarise(runs)
    curves = [scores.precision_recall(labels, each, genres) for each in probabilities]
    record = {
        "variant": variant,
        "title": chosen.title,
        "length": model.sequence.length,
        "seeds": [train.seed for train in trainings],
        "mean": mean,
        "spread": deviation,
        "runs": runs,
        "curves": scores.summarise(curves)[0],
    }
    (out / METRICS).write_text(tables.to_json(record), encoding="utf-8")
    return {"seeds": len(runs), "test_ap_weighted": mean["ap"]["weighted"]}


def _find_variant(name: str) -> Variant:
    """Return a variant by name; VariantError lists the known ones."""
    if name not in VARIANTS:
        raise VariantError(f"there is no variant {name}; there are {', '.join(VARIANTS)}")
    return VARIANTS[name]


def seeded(params: TrainParams, offset: int) -> TrainParams:
    """Return the same training with another seed."""
    return params.model_copy(update={"seed": params.seed + offset})


def predict(
    collection: Collection,
    model: ModelParams,
    params: TrainParams,
    members: NDArray[np.integer],
    device: str,
) -> NDArray[np.float64]:
    """Train on the collection's split and return probabilities of `members`, len x genres."""
    config = configure(model, collection.modalities, collection.labels.shape[1])
    network = train(collection, config, params, device=device).network
    return scores.sigmoid(embed_collection(network.cpu(), collection, members).logits)


def read_ablations(folder: Path) -> dict[str, Json]:
    """Return the record of every variant that has been run, in the order of the tables."""
    paths = {name: folder / name / METRICS for name in VARIANTS}
    return {name: tables.read_json(path) for name, path in paths.items() if path.exists()}
