"""A small collection as the earlier steps leave it, made with the real item store."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmx.engine.receipt import Fault, Ingredients, Receipt, Weight
from mmx.engine.rows import write_rows
from mmx.engine.store import Store
from mmx.features import ExpertSource, build_store
from mmx.outputs import TableOutput, write_receipts

CLIPS = {"alien": 3, "brazil": 2, "clue": 5, "dune": 0, "élan": 1, "fargo": None}
"""Clips per trailer; dune has none left, fargo could not be decoded."""
SILENT = frozenset({"brazil"})
WEIGHT = Weight("net.pt", "ab" * 32, "https://example.org/net.pt", "CC-BY-4.0")


@dataclass(frozen=True)
class Collection:
    """What the features stage reads."""

    folder: Path
    counts: dict[str, int | None]
    silent: frozenset[str]
    weight: Weight = WEIGHT

    @property
    def sources(self) -> Path:
        return self.folder / "sources.parquet"

    @property
    def clips(self) -> Path:
        return self.folder / "clips"

    @property
    def experts(self) -> list[ExpertSource]:
        return [
            ExpertSource("picture", "appearance", self.folder / "picture", 2048),
            ExpertSource("sound", "audio", self.folder / "sound"),
        ]

    def expected(self, trailer: str, expert: str) -> dict[int, np.ndarray]:
        """The vectors that were written for a trailer, by clip."""
        seed, count = list(self.counts).index(trailer), self.counts[trailer]
        heard = 0 if expert == "sound" and trailer in self.silent else count
        rows = embedding_rows(heard or 0, seed, sequence=expert == "sound")
        vectors = (np.array(value, np.float32) for value in rows["embedding"].to_pylist())
        return dict(zip(rows["clip"].to_pylist(), vectors, strict=True))

    def build(self, out: Path) -> str:
        """Build the store in the new folder `out`."""
        out.mkdir(parents=True)
        return build_store(
            out,
            sources=self.sources,
            clips=self.clips,
            experts=self.experts,
            upstream=[self.folder / "audio"],
        )


def ingredients(step: str, trailer: str, **inputs: str) -> Ingredients:
    """Ingredients that differ by step and trailer."""
    weights = (WEIGHT,) if step == "embed@picture" else ()
    inputs = {"video": f"{trailer}-bytes", **inputs}
    return Ingredients(step, 1, inputs, {"batch": 8}, "code", {"numpy": "2"}, weights)


def clip_rows(count: int) -> pa.Table:
    """`count` clips of 24 frames at 24 frames per second."""
    index = np.arange(count)
    return pa.table(
        {
            "clip": pa.array(index, pa.int32()),
            "start": pa.array(index * 24, pa.int64()),
            "stop": pa.array(index * 24 + 24, pa.int64()),
            "start_s": pa.array(index.astype(float)),
            "stop_s": pa.array(index + 1.0),
            "cut_score": pa.array([None, *(index[1:] + 30.5)][:count], pa.float64()),
        }
    )


def embedding_rows(count: int, seed: int, sequence: bool) -> pa.Table:
    """Vectors of width 4, or clip+1 vectors of width 3 for each clip but the first."""
    rng = np.random.default_rng(seed)
    clips = np.arange(1 if sequence else 0, count)
    lengths = clips + 1
    width = 3 if sequence else 4
    total = int(lengths.sum()) if sequence else len(clips)
    flat = pa.array(rng.normal(size=total * width).astype(np.float32))
    vectors = pa.FixedSizeListArray.from_arrays(flat, width)
    if sequence:
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
        vectors = pa.ListArray.from_arrays(offsets, vectors)
    return pa.table(
        {
            "clip": pa.array(clips, pa.int32()),
            "embedding": vectors,
            "samples": pa.array(lengths, pa.int32()),
            "padded": pa.array(clips * 0, pa.int32()),
        }
    )


def make_item(store: Store, made_of: Ingredients, rows: pa.Table | None) -> Receipt:
    """Commit one item of rows, or a fault."""
    if rows is None:
        receipt = Receipt(made_of, fault=Fault("MediaFault", "the video has no picture"))
    else:
        with store.workspace() as out:
            write_rows(out, rows)
            receipt = Receipt(made_of, store.put_folder(out), {"rows": len(rows)})
    store.commit(receipt)
    return receipt


def write_collection(folder: Path, counts: dict[str, int | None] = CLIPS) -> Collection:
    """Write sources.parquet, the clips, two experts and the receipts of the wavs."""
    store = Store(folder / "store")
    steps: dict[str, dict[str, Receipt]] = {"clips": {}, "picture": {}, "sound": {}, "audio": {}}
    for seed, (trailer, count) in enumerate(counts.items()):
        rows = None if count is None else clip_rows(count)
        scenes = make_item(store, ingredients("scenes", trailer), rows)
        steps["clips"][trailer] = scenes
        if count is None:
            continue
        digest = scenes.output_digest
        heard = 0 if trailer in SILENT else count
        picture = embedding_rows(count, seed, sequence=False)
        sound = embedding_rows(heard, seed, sequence=True)
        steps["audio"][trailer] = Receipt(
            ingredients("audio", trailer), facts={"silent": not heard}
        )
        for name, table in (("picture", picture), ("sound", sound)):
            made_of = ingredients(f"embed@{name}", trailer, scenes=digest)
            steps[name][trailer] = make_item(store, made_of, table)
    for name, receipts in steps.items():
        if name == "audio":
            write_receipts(folder / name, receipts)
        else:
            output = TableOutput(name, letter="c" if name == "clips" else "e")
            output.write(output.path(folder), receipts, store)
    write_sources(folder / "sources.parquet", list(counts))
    return Collection(folder, counts, SILENT)


def write_sources(path: Path, trailers: list[str]) -> None:
    """What ingest says of the accepted videos."""
    n = len(trailers)
    columns = {
        "trailer_id": trailers,
        "video": [f"videos/{trailer}.mp4" for trailer in trailers],
        "sha256": [f"{trailer}-bytes" for trailer in trailers],
        "size": pa.array([1000] * n, pa.int64()),
        "video_digest": [f"{trailer}-pictures" for trailer in trailers],
        "sound_digest": ["" if trailer in SILENT else f"{trailer}-sound" for trailer in trailers],
        "duration_s": [60.0] * n,
        "width": pa.array([640] * n, pa.int32()),
        "height": pa.array([360] * n, pa.int32()),
        "fps": [24.0] * n,
        "frames": pa.array([1440] * n, pa.int64()),
        "has_audio": [trailer not in SILENT for trailer in trailers],
    }
    pq.write_table(pa.table(columns), path)


def write_labels(folder: Path) -> tuple[Path, Path]:
    """trailers.parquet and splits.parquet, with a title that tries to break the card."""
    names = list(CLIPS)
    trailers = pa.table(
        {
            "trailer_id": names,
            "title": [f"{name} | <b>" for name in names],
            "year": pa.array([1979 + k for k in range(len(names))], pa.int32()),
            "genres": pa.array([["Drama", "Horror"]] * len(names), pa.list_(pa.string())),
            "group_id": names,
            "video": [f"videos/{name}.mp4" for name in names],
            "status": ["accepted"] * len(names),
            "reason": pa.array([None] * len(names), pa.string()),
        }
    )
    splits = pa.table({"trailer_id": names, "group_id": names, "split": ["train"] * len(names)})
    pq.write_table(trailers, folder / "trailers.parquet")
    pq.write_table(splits, folder / "splits.parquet")
    return folder / "trailers.parquet", folder / "splits.parquet"


MakeCollection = Callable[..., Collection]


@pytest.fixture(scope="session")
def make_collection() -> MakeCollection:
    """Write a collection into a folder; by default the small one."""
    return write_collection


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """The small collection, shared: nothing may write to it."""
    return write_collection(tmp_path_factory.mktemp("collection"))


@pytest.fixture(scope="session")
def built(collection: Collection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of the small collection, shared: nothing may write to it."""
    out = tmp_path_factory.mktemp("built") / "features"
    collection.build(out)
    return out
