"""Models and weights for fuzz_inputs.py, and the readers of files that no command reads alone."""

import json
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

NAMES = ("t00000", "t00001", "t00002", "t00003", "t00004")


def write_models(root: Path) -> None:
    """Write a small model, weights of a small network, a checkpoint, pins and embeddings."""
    import pyarrow as pa
    import torch
    from safetensors.torch import save_file

    from mmx.engine.parquet import write_parquet
    from mmx.experts.pins import Pin, hash_file, write_pins
    from mmx.layout import Layout
    from mmx.training.checkpoint import Checkpoint

    for name in ("weights", "scratch", "model"):
        (root / name).mkdir(parents=True, exist_ok=True)
    state = dict(_network().state_dict())
    torch.save(state, root / "weights" / "net.pth")
    save_file(state, root / "weights" / "net.safetensors")
    Checkpoint(root / "scratch", "fuzz", 0.0).save(lambda: {"network": state, "epoch": 1})
    _write_model(root / "model")
    found = {"sha256": "0" * 64, "size": 3, "facts": None, "fault": "it is empty"}
    inspections = json.dumps({"state": "1:2:3:4:5", "stamp": "0" * 64, "found": found}) + "\n"
    (root / ".mmx" / "inspections.json").write_text(inspections)
    hashes = hash_file(root / "weights" / "net.pth")
    write_pins(root / "weights.lock.yaml", {"net.pth": Pin(hashes.sha256, hashes.size, "")})
    vectors = [[float(number), 1.0] for number, _ in enumerate(NAMES)]
    columns = {"trailer_id": NAMES, "coarse": vectors, "fine": vectors}
    write_parquet(pa.table(columns), root / "vectors" / Layout(root).trailer_embeddings.name)


def _network() -> "torch.nn.Module":  # type: ignore[name-defined]  # noqa: F821
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))


def _write_model(folder: Path) -> None:
    from mmx.model.config import Modality
    from mmx.params import ModelParams, SequenceParams
    from mmx.training.load import ModelDescription, configure, new_network, save_model

    params = ModelParams(
        dim=8, clip=8, sequence=SequenceParams(length=3, stride=3, width=8), slots=2,
        bottleneck=8, classifier=8, projection=8,
    )  # fmt: skip
    config = configure(params, [Modality("scene", 6, False)], 3)
    description = ModelDescription(config, {"scene": ["lite_scene"]}, ["Drama", "Short", "War"])
    save_model(folder, new_network(config, 0), description, [{"epoch": 1}], 1)


def _read_model(_: str) -> None:
    from mmx.training.load import load_network

    Path("models").mkdir(exist_ok=True)
    folder = Path("model").rename(Path("models/coarse").absolute())
    load_network(folder)


def _similar(_: str) -> None:
    from mmx.layout import Layout
    from mmx.prediction import similar
    from mmx.project import open_project

    place = Layout(Path().absolute()).trailer_embeddings
    (Path("vectors") / place.name).rename(place)
    similar(open_project(), "t00001")


def _read_weights(_: str) -> None:
    from mmx.experts.checkpoints import load_published

    for name, kind in (("net.pth", "torch"), ("net.safetensors", "safetensors")):
        if (Path("weights") / name).is_file():
            load_published(_network(), Path("weights") / name, kind)  # type: ignore[arg-type]


def _read_checkpoint(_: str) -> None:
    from mmx.training.checkpoint import Checkpoint

    Checkpoint(Path("scratch"), "fuzz", 0.0).load()


def _read_manifest(_: str) -> None:
    """Check every row, and read the cache of inspections, as ingest does."""
    from mmx.project import open_project
    from mmx.trailers.genres import resolve_genres
    from mmx.trailers.inspection_log import known_states
    from mmx.trailers.manifest import read_manifest

    project = open_project()
    known_states(project.inspections)
    for row in read_manifest(project.layout.manifest):
        found = resolve_genres(row.genres, project.params.collection)
        reasons = [*row.faults, *found.faults]
        print(json.dumps(reasons))


COMMANDS: MappingProxyType[str, Callable[[str], None]] = MappingProxyType(
    {
        "model": _read_model,
        "similar": _similar,
        "weights": _read_weights,
        "checkpoint": _read_checkpoint,
        "manifest": _read_manifest,
    }
)
