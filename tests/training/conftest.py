"""A tiny collection, as arrays and as the pipeline's files; everything seeded."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from mmx.engine.shards import shard_of
from mmx.features.digest import shards_text
from mmx.features.facts import StoreFacts
from mmx.model.config import NetworkConfig
from mmx.params import ModelParams
from mmx.training.data import Collection, read_collection
from mmx.training.load import configure

GENRES = ("Drama", "Comedy", "Horror")
EXPERTS = {"appearance": ("eye",), "motion": ("flow", "stack"), "audio": ("ear",)}
WIDTHS = {"eye": 6, "flow": 4, "stack": 3, "ear": 5}


@dataclass(frozen=True)
class Files:
    """Where the pipeline's tables lie."""

    features: Path
    trailers: Path
    splits: Path


def write_shards(folder: Path, letter: str, table: pa.Table) -> None:
    """The 64 shards of a table."""
    folder.mkdir(parents=True)
    shards = [shard_of(name) for name in table["trailer_id"].to_pylist()]
    for shard in (f"{number:02x}" for number in range(64)):
        chosen = table.filter(pa.array([here == shard for here in shards], pa.bool_()))
        pq.write_table(chosen, folder / f"{letter}{shard}.parquet")


def expert_table(rows: list[tuple[str, int, np.ndarray]], width: int, sequence: bool) -> pa.Table:
    vector = pa.list_(pa.float32(), width)
    kind = pa.list_(vector) if sequence else vector
    return pa.table(
        {
            "trailer_id": [row[0] for row in rows],
            "clip": pa.array([row[1] for row in rows], pa.int32()),
            "embedding": pa.array([row[2].tolist() for row in rows], kind),
            "fingerprint": ["f" * 64] * len(rows),
        }
    )


def write_files(folder: Path, counts: dict[str, int], splits: dict[str, str]) -> Files:
    """Write trailers with these numbers of clips; the first one is silent."""
    rng = np.random.default_rng(0)
    store, silent = folder / "features", next(iter(counts))
    clips = [(name, clip) for name, count in counts.items() for clip in range(count)]
    mood = {name: rng.normal(size=3) for name in counts}
    genres = {name: [GENRES[k] for k in np.argsort(-mood[name])[:2]] for name in counts}

    def look(name: str, width: int, *times: int) -> np.ndarray:
        noise = 0.3 * rng.normal(size=(*times, width))
        return (np.resize(mood[name], width) + noise).astype(np.float32)

    for expert, width in WIDTHS.items():
        sequence = expert == "ear"
        heard = [(name, clip) for name, clip in clips if not sequence or name != silent]
        rows = [
            (name, clip, look(name, width, 1 + clip % 3) if sequence else look(name, width))
            for name, clip in heard
        ]
        write_shards(store / expert, "e", expert_table(rows, width, sequence))
    spans = [float(clip) for _, clip in clips]
    write_shards(
        store / "clips",
        "c",
        pa.table(
            {
                "trailer_id": [name for name, _ in clips],
                "clip": pa.array([clip for _, clip in clips], pa.int32()),
                "start_s": spans,
                "stop_s": [start + 1 for start in spans],
            }
        ),
    )
    modality = {expert: m for m, members in EXPERTS.items() for expert in members}
    pq.write_table(
        pa.table(
            {
                "expert": list(modality),
                "modality": list(modality.values()),
                "width": [WIDTHS[expert] for expert in modality],
                "sequence": [expert == "ear" for expert in modality],
                "rows": [len(clips)] * len(modality),
            }
        ),
        store / "experts.parquet",
    )
    (store / "shards.txt").write_text(shards_text(StoreFacts(store).shards))
    pq.write_table(
        pa.table(
            {
                "trailer_id": [*counts, "broken"],
                "genres": [*genres.values(), ["Drama"]],
                "status": ["accepted"] * len(counts) + ["rejected"],
            }
        ),
        folder / "trailers.parquet",
    )
    pq.write_table(
        pa.table(
            {
                "trailer_id": list(splits),
                "split": list(splits.values()),
                "group_id": list(splits),
            }
        ),
        folder / "splits.parquet",
    )
    return Files(store, folder / "trailers.parquet", folder / "splits.parquet")


@pytest.fixture
def write() -> Callable[..., Files]:
    """`write_files`, for tests that need other trailers."""
    return write_files


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """20 trailers of 3 to 8 clips, and one without a split."""
    counts = {f"t{k:02}": 3 + k * 5 % 6 for k in range(21)}
    splits = {f"t{k:02}": ("train", "validation", "train", "test")[k % 4] for k in range(20)}
    return write_files(tmp_path_factory.mktemp("tiny"), counts, splits)


@pytest.fixture(scope="session")
def collection(files: Files) -> Collection:
    """The collection of `files`."""
    return read_collection(files.features, files.trailers, files.splits, EXPERTS, GENRES)


@pytest.fixture(scope="session")
def model() -> ModelParams:
    """A network that trains in a moment."""
    return ModelParams.model_validate(
        {
            "modalities": EXPERTS,
            "dim": 8,
            "netvlad": {"clusters": 2},
            "clip": 8,
            "sequence": {"length": 3, "stride": 3, "width": 8},
            "slots": 2,
            "bottleneck": 16,
            "classifier": 8,
            "projection": 4,
        }
    )


@pytest.fixture(scope="session")
def config(model: ModelParams, collection: Collection) -> NetworkConfig:
    """That network for the tiny collection."""
    return configure(model, collection.modalities, len(GENRES))


@pytest.fixture
def generator() -> torch.Generator:
    """A seeded generator."""
    return torch.Generator().manual_seed(0)
