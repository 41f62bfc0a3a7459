"""The two steps end to end, and models as folders."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from mmx.params import FinetuneParams, ModelParams, TrainParams
from mmx.training.coarse_item import coarse_item
from mmx.training.data import Collection
from mmx.training.embed import embed_collection
from mmx.training.errors import CollectionError
from mmx.training.fine_item import finetune_item
from mmx.training.load import load_description, load_network

if TYPE_CHECKING:
    from tests.training.conftest import Files


GENRES = ("Drama", "Comedy", "Horror")
TRAIN = TrainParams(epochs=2, batch=4, threads=1)
FINE = FinetuneParams(epochs=2, batch=4, threads=1)


def run_coarse(files: "Files", model: ModelParams, out: Path, **more: Any) -> dict[str, int]:
    out.mkdir()
    return coarse_item(
        features=files.features, trailers=files.trailers, splits=files.splits, genres=GENRES,
        model=model, train_params=TRAIN, out=out, device="cpu", **more,
    )  # fmt: skip


def run_fine(
    files: "Files", coarse: Path, out: Path, params: FinetuneParams = FINE, **more: Any
) -> dict[str, int]:
    out.mkdir()
    return finetune_item(
        coarse=coarse, features=files.features, trailers=files.trailers, splits=files.splits,
        params=params, out=out, device="cpu", **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def models(files: "Files", model: ModelParams, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `coarse` and `fine`."""
    folder = tmp_path_factory.mktemp("models")
    run_coarse(files, model, folder / "coarse")
    run_fine(files, folder / "coarse", folder / "fine")
    return folder


def test_facts_are_counts(files: "Files", model: ModelParams, tmp_path: Path) -> None:
    facts = run_coarse(files, model, tmp_path / "coarse")
    assert facts == {"train": 10, "validation": 5, "test": 5, "epochs": 2, "kept_epoch": 2}
    assert run_fine(files, tmp_path / "coarse", tmp_path / "fine") == facts


def test_equal_inputs_give_equal_bytes(
    files: "Files", model: ModelParams, models: Path, tmp_path: Path
) -> None:
    run_coarse(files, model, tmp_path / "coarse")
    run_fine(files, tmp_path / "coarse", tmp_path / "fine")
    for kind in ("coarse", "fine"):
        for path in (models / kind).iterdir():
            assert path.read_bytes() == (tmp_path / kind / path.name).read_bytes()


def test_a_model_with_a_space_of_mean_features_is_read_again(
    files: "Files", models: Path, collection: Collection, tmp_path: Path
) -> None:
    pooled = FINE.model_copy(update={"trains": "pooled", "width": 3})
    run_fine(files, models / "coarse", tmp_path / "fine", pooled)
    network = load_network(tmp_path / "fine")
    assert network.config.pooled == 3
    assert embed_collection(network, collection).trailer.shape == (len(collection.ids), 3)


def test_a_model_says_what_it_is(models: Path, collection: Collection) -> None:
    for kind in ("coarse", "fine"):
        description = load_description(models / kind)
        assert description.genres == list(GENRES)
        assert description.experts["motion"] == ["flow", "stack"]
        assert description.config.modalities == collection.modalities
    with safe_open(models / "fine" / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_histories_are_plain_json(models: Path) -> None:
    coarse = json.loads((models / "coarse" / "history.json").read_text())
    assert coarse["kept_epoch"] == 2
    assert [list(row) for row in coarse["epochs"]] == [
        ["epoch", "train_loss", "validation_loss", "validation_ap_micro", "validation_ap_macro"]
    ] * 2
    fine = json.loads((models / "fine" / "history.json").read_text())
    assert [row["epoch"] for row in fine["epochs"]] == [0, 1, 2]
    assert list(fine["epochs"][2]) == ["epoch", "train_loss", "validation_loss", "silhouette"]


def test_fine_tuning_starts_from_the_coarse_model(models: Path, collection: Collection) -> None:
    coarse, fine = (load_network(models / kind) for kind in ("coarse", "fine"))
    mean = "inputs.appearance.mean"
    assert torch.equal(coarse.get_buffer(mean), fine.get_buffer(mean))
    one, other = (embed_collection(network, collection).trailer for network in (coarse, fine))
    assert 0 < np.abs(one - other).max() < 0.5


def test_curves_are_written_and_survive_resuming(
    files: "Files", model: ModelParams, tmp_path: Path
) -> None:
    live, scratch = tmp_path / "live", tmp_path / "scratch"
    run_coarse(files, model, tmp_path / "a", live=live, scratch=scratch)
    lines = (live / "plots" / "metrics" / "train_loss.tsv").read_text().splitlines()
    history = json.loads((tmp_path / "a" / "history.json").read_text())["epochs"]
    assert [line.split("\t")[0] for line in lines] == ["step", "1", "2"]
    assert [float(line.split("\t")[1]) for line in lines[1:]] == [
        row["train_loss"] for row in history
    ]
    assert (
        json.loads((live / "metrics.json").read_text())["validation_loss"]
        == (history[-1]["validation_loss"])
    )


def test_a_collection_too_small_is_refused(
    write: "Callable[..., Files]", model: ModelParams, tmp_path: Path
) -> None:
    files = write(tmp_path / "files", {"a": 4, "b": 4}, {"a": "train", "b": "test"})
    with pytest.raises(CollectionError, match="at least 2 trailers to train on"):
        run_coarse(files, model, tmp_path / "out")


def test_a_trailers_embedding_does_not_depend_on_the_others(
    models: Path, collection: Collection
) -> None:
    network = load_network(models / "coarse")
    everyone = embed_collection(network, collection)
    some = embed_collection(network, collection, [7, 2])
    assert some.ids == ["t07", "t02"]
    for place, trailer in enumerate([7, 2]):
        assert np.array_equal(some.trailer[place], everyone.trailer[trailer])
        assert np.array_equal(some.logits[place], everyone.logits[trailer])
        for rows, of in (("sequences", "sequence_trailer"), ("clips", "clip_trailer")):
            mine = getattr(some, rows)[getattr(some, of) == place]
            theirs = getattr(everyone, rows)[getattr(everyone, of) == trailer]
            assert np.array_equal(mine, theirs)


def test_sequences_are_told_with_their_clips(models: Path, collection: Collection) -> None:
    found = embed_collection(load_network(models / "coarse"), collection)
    assert len(found.clips) == collection.offsets[-1]
    assert np.array_equal(np.bincount(found.clip_trailer), collection.lengths)
    for trailer, length in enumerate(collection.lengths):
        rows = found.sequence_trailer == trailer
        assert found.sequence_start[rows].tolist() == list(range(0, length, 3))
        assert found.sequence_stop[rows][-1] == length
    assert found.sequence_logits is not None
    assert found.sequence_logits.shape == (len(found.sequences), 3)
