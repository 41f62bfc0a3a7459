"""A small collection in memory: features depend on genre and style; models trained on it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mmx.engine.shards import FEWEST, shard_of
from mmx.evaluation.item import evaluate_item
from mmx.features.digest import shards_text
from mmx.features.facts import StoreFacts
from mmx.features.schema import EXPERTS_SCHEMA
from mmx.layout import Layout
from mmx.params import (
    EvaluateParams,
    FinetuneParams,
    ModelParams,
    Params,
    SequenceParams,
    TrainParams,
)
from mmx.training.coarse_item import coarse_item
from mmx.training.fine_item import finetune_item

GENRES = ["Action", "Comedy", "Drama", "War"]
"""No trailer is War: the genre without positives."""
EXPERTS = {"look": ("appearance", 12, False), "sound": ("audio", 6, True)}
PARAMS = EvaluateParams(neighbours=5, perplexity=5.0)
MODEL = ModelParams(
    modalities={"appearance": ("look",), "audio": ("sound",)},
    dim=16,
    clip=8,
    sequence=SequenceParams(length=3, stride=3, width=12),
    slots=6,
    bottleneck=24,
    classifier=12,
    projection=8,
)


@dataclass(frozen=True)
class World:
    """Everything that evaluation reads."""

    folder: Path
    """Laid out like a project."""
    ids: list[str]
    genres: list[list[str]]

    @property
    def layout(self) -> Layout:
        """Its paths."""
        return Layout(self.folder)

    @property
    def data(self) -> dict[str, Path]:
        """Arguments of a training or an ablation."""
        return {name: self.inputs[name] for name in ("features", "trailers", "splits")}

    @property
    def inputs(self) -> dict[str, Path]:
        """Arguments of `evaluate_item`."""
        data, models = self.folder / "data", self.folder / "models"
        return {
            "features": data / "features",
            "trailers": data / "trailers.parquet",
            "splits": data / "splits.parquet",
            "coarse": models / "coarse",
            "fine": models / "fine",
        }


def write_shards(folder: Path, letter: str, table: pa.Table) -> None:
    """Write a table as 64 shards by trailer."""
    folder.mkdir(parents=True)
    shard = np.array([shard_of(name) for name in table["trailer_id"].to_pylist()])
    for name in map("{:02x}".format, range(FEWEST)):
        pq.write_table(
            table.take(np.flatnonzero(shard == name)), folder / f"{letter}{name}.parquet"
        )


def write_features(store: Path, ids: list[str], tastes: np.ndarray, clips: np.ndarray) -> None:
    """Write a store whose embeddings scatter around each trailer's taste (N x 4)."""
    rng = np.random.default_rng(7)
    owner = np.repeat(np.arange(len(ids)), clips)
    clip = np.concatenate([np.arange(count) for count in clips])
    names = [ids[i] for i in owner]
    mark = ["f" * 64] * len(names)
    table = {"trailer_id": names, "clip": pa.array(clip, pa.int32())}
    times = {
        "start": 24 * clip,
        "stop": 24 * clip + 24,
        "start_s": clip * 1.0,
        "stop_s": clip + 1.0,
        "cut_score": clip * 0.0,
    }
    write_shards(store / "clips", "c", pa.table({**table, **times, "fingerprint": mark}))
    for name, (_, width, sequence) in EXPERTS.items():
        basis = rng.normal(size=(tastes.shape[1], width))
        values = (tastes[owner] @ basis + rng.normal(size=(len(owner), width))).astype(np.float32)
        kind = pa.list_(pa.float32(), width)
        column = [[v, v / 2] for v in values] if sequence else list(values)
        embedding = pa.array(column, pa.list_(kind) if sequence else kind)
        write_shards(
            store / name, "e", pa.table({**table, "embedding": embedding, "fingerprint": mark})
        )
    facts = {
        "trailer_id": ids,
        "video_sha256": [f"{i:064x}" for i in range(len(ids))],
        "duration_s": clips + 2.0,
        "width": [64] * len(ids),
        "height": [48] * len(ids),
        "fps": [24.0] * len(ids),
        "frames": pa.array(24 * (clips + 2), pa.int64()),
        "has_audio": [True] * len(ids),
        "n_clips": pa.array(clips, pa.int32()),
        "fingerprint": ["f" * 64] * len(ids),
    }
    write_shards(store / "trailers", "t", pa.table(facts))
    experts = [
        {
            "expert": n,
            "modality": m,
            "width": w,
            "sequence": s,
            "trailers": len(ids),
            "rows": len(clip),
        }
        for n, (m, w, s) in EXPERTS.items()
    ]
    pq.write_table(pa.Table.from_pylist(experts, EXPERTS_SCHEMA), store / "experts.parquet")
    (store / "digest.txt").write_text(f"root {'a' * 64}\n")
    (store / "shards.txt").write_text(shards_text(StoreFacts(store).shards))


def write_project(folder: Path, titles: list[str], rejected: list[dict[str, Any]]) -> World:
    """Write data/ for one trailer per title; the last `rejected` rows were refused."""
    rng = np.random.default_rng(3)
    count = len(titles)
    ids = [f"t{i:03d}" for i in range(count)]
    genres = [[GENRES[i % 3]] + ([GENRES[(i + 1) % 3]] if i % 2 else []) for i in range(count)]
    tastes = np.array([[GENRES[g] in row for g in range(3)] for row in genres], float)
    tastes = np.concatenate([2 * tastes, rng.normal(size=(count, 1))], axis=1)
    (folder / "data").mkdir(parents=True)
    write_features(folder / "data/features", ids, tastes, rng.integers(6, 14, count))
    rows = [
        {
            "trailer_id": i,
            "title": t,
            "year": 1990 + n,
            "genres": g,
            "group_id": i,
            "video": f"videos/{i}.mp4",
            "status": "accepted",
            "reason": None,
        }
        for n, (i, t, g) in enumerate(zip(ids, titles, genres, strict=True))
    ]
    table = pa.Table.from_pylist(rows + rejected)
    pq.write_table(table, folder / "data/trailers.parquet")
    split = (["train"] * 5 + ["validation"] + ["test"] * 2) * count
    pq.write_table(
        pa.table({"trailer_id": ids, "group_id": ids, "split": split[:count]}),
        folder / "data/splits.parquet",
    )
    sources = {"trailer_id": ids, "video": [f"videos/{name}.mp4" for name in ids]}
    pq.write_table(pa.table(sources), folder / "data/sources.parquet")
    return World(folder, ids, genres)


def train_models(world: World) -> None:
    """Train both models for a few epochs."""
    data = world.data
    coarse, fine = world.inputs["coarse"], world.inputs["fine"]
    coarse.mkdir(parents=True)
    fine.mkdir(parents=True)
    train = TrainParams(epochs=15, lr=3e-3, batch=8, threads=1)
    tune = FinetuneParams(epochs=3, constant_epochs=1, batch=8, threads=1)
    coarse_item(**data, genres=GENRES, model=MODEL, train_params=train, out=coarse, device="cpu")
    finetune_item(coarse=coarse, **data, params=tune, out=fine, device="cpu")


def report_params() -> Params:
    """params.yaml of the small collection."""
    return Params.model_validate(
        {
            "profile": "lite",
            "collection": {"genres": GENRES},
            "scenes": {},
            "audio": {},
            "flow": {},
            "embed": {"experts": {"lite_scene": {"reads": "clips"}}},
            "split": {},
            "model": MODEL.model_dump(),
            "evaluate": PARAMS.model_dump(),
            "run": {},
        }
    )


def evaluate(world: World) -> None:
    """Evaluate into the project's reports."""
    world.layout.evaluation.mkdir(parents=True)
    evaluate_item(**world.inputs, params=PARAMS, out=world.layout.evaluation)


EVIL = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=HYPERLINK(1)",
    "{{ 7 * 7 }}<!-- ",
    "Amélie ‘天空’ & co",
]
"""Titles as an attacker or a careless user might write them."""


def quick_params(seeds: int) -> Params:
    """The same with a training of two epochs and ablations of some seeds."""
    params = report_params().model_dump()
    params["train"] = {"epochs": 2, "batch": 8, "threads": 1, "seed": 4}
    params["ablate"] = {"seeds": seeds}
    params["run"] = {"device": "cpu"}
    return Params.model_validate(params)
