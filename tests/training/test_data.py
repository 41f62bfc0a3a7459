"""The collection against the tables it was read from, row by row."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from mmx.features import FeaturesError
from mmx.model.config import Modality
from mmx.training.data import Collection, Column, encode_labels, read_collection, standards
from mmx.training.errors import CollectionError

if TYPE_CHECKING:
    from tests.training.conftest import Files


GENRES = ("Drama", "Comedy", "Horror")
EXPERTS = {"appearance": ("eye",), "motion": ("flow", "stack"), "audio": ("ear",)}


def rows_of(files: "Files", expert: str) -> dict[tuple[str, int], np.ndarray]:
    """An expert's table as a dictionary, read without the project's reader."""
    found = {}
    for path in (files.features / expert).glob("*.parquet"):
        for row in pq.read_table(path).to_pylist():
            found[row["trailer_id"], row["clip"]] = np.array(row["embedding"], np.float32)
    return found


def test_only_trailers_with_a_split_are_there(collection: Collection) -> None:
    assert collection.ids == [f"t{k:02}" for k in range(20)]
    assert collection.lengths.tolist() == [3 + k * 5 % 6 for k in range(20)]
    assert collection.members("train").tolist() == list(range(0, 20, 2))
    assert collection.members("test").tolist() == [3, 7, 11, 15, 19]


def test_modalities_are_what_a_network_takes(collection: Collection) -> None:
    assert collection.modalities == (
        Modality("appearance", 6),
        Modality("motion", 7),
        Modality("audio", 5, sequence=True),
    )


def test_a_batch_holds_the_rows_of_the_tables(collection: Collection, files: "Files") -> None:
    members = [5, 0, 12]
    batch = collection.trailers(members)
    assert batch.lengths.tolist() == [collection.lengths[m] for m in members]
    keys = [(collection.ids[m], c) for m in members for c in range(collection.lengths[m])]
    tables = {name: rows_of(files, name) for name in ("eye", "flow", "stack", "ear")}

    eye = batch.features["appearance"]
    assert eye.clips.tolist() == list(range(len(keys)))
    assert np.array_equal(eye.values, np.stack([tables["eye"][key] for key in keys]))

    joined = [np.concatenate([tables["flow"][k], tables["stack"][k]]) for k in keys]
    assert np.array_equal(batch.features["motion"].values, np.stack(joined))

    heard = [(place, tables["ear"][key]) for place, key in enumerate(keys) if key in tables["ear"]]
    ear = batch.features["audio"]
    assert ear.clips.tolist() == [place for place, _ in heard]
    assert ear.counts.tolist() == [len(vectors) for _, vectors in heard]
    assert np.array_equal(ear.values, np.concatenate([vectors for _, vectors in heard]))
    assert "t00" not in {key[0] for key in tables["ear"]}


def test_a_batch_of_parts_of_trailers(collection: Collection) -> None:
    whole = collection.trailers([4])
    last, first = collection.clips_of(4)[[2]], collection.clips_of(4)[:2]
    parts = collection.batch([last, first])
    assert parts.lengths.tolist() == [1, 2]
    assert torch.equal(
        parts.features["appearance"].values, whole.features["appearance"].values[[2, 0, 1]]
    )
    runs = whole.features["audio"].values.split(whole.features["audio"].counts.tolist())
    assert torch.equal(parts.features["audio"].values, torch.cat([runs[2], runs[0], runs[1]]))


def test_a_batch_without_a_modality(collection: Collection) -> None:
    audio = collection.trailers([0]).features["audio"]
    assert audio.values.shape == (0, 5)
    assert len(audio.clips) == len(audio.counts) == 0


def test_labels_and_the_genre_named_first(collection: Collection, files: "Files") -> None:
    given = {r["trailer_id"]: r["genres"] for r in pq.read_table(files.trailers).to_pylist()}
    for row, name in enumerate(collection.ids):
        assert {GENRES[g] for g in np.flatnonzero(collection.labels[row])} == set(given[name])
        assert GENRES[collection.primary[row]] == given[name][0]


def test_an_unlabelled_trailer_has_no_primary_genre() -> None:
    labels, primary = encode_labels([["Horror", "Drama"], []], GENRES)
    assert labels.tolist() == [[1, 0, 1], [0, 0, 0]]
    assert primary.tolist() == [2, -1]


def test_fewer_modalities(collection: Collection) -> None:
    fewer = collection.select(["audio", "appearance"])
    assert [m.name for m in fewer.modalities] == ["audio", "appearance"]
    assert fewer.ids == collection.ids


def test_standards_are_mean_and_deviation_of_the_present(collection: Collection) -> None:
    members = np.array([0, 2, 6])
    found = standards(collection, members)
    for name, feature in collection.trailers(members).features.items():
        mean, scale = found[name]
        torch.testing.assert_close(mean, feature.values.mean(0))
        torch.testing.assert_close(scale, feature.values.std(0, unbiased=False))


def test_a_feature_that_never_varies_keeps_its_scale(collection: Collection) -> None:
    values = np.full((int(collection.offsets[-1]), 2), 0.1, np.float32)
    constant = Column(values, np.ones(len(values), bool), None)
    mean, scale = standards(replace(collection, columns={"x": constant}), np.array([0, 1]))["x"]
    assert scale.tolist() == [1, 1]
    torch.testing.assert_close(mean, torch.tensor([0.1, 0.1]))


def test_a_modality_that_is_missing_in_training_has_neutral_standards(
    collection: Collection,
) -> None:
    mean, scale = standards(collection, np.array([0]))["audio"]
    assert mean.tolist() == [0] * 5
    assert scale.tolist() == [1] * 5


def test_what_the_store_lacks_is_named(files: "Files") -> None:
    with pytest.raises(CollectionError, match="no expert nose"):
        read_collection(files.features, files.trailers, files.splits, {"smell": ("nose",)}, GENRES)


def test_a_genre_outside_the_vocabulary_is_named(files: "Files") -> None:
    with pytest.raises(CollectionError, match="Horror"):
        read_collection(files.features, files.trailers, files.splits, EXPERTS, GENRES[:2])


def test_sequences_cannot_be_joined(files: "Files") -> None:
    mixed = {"motion": ("flow", "ear")}
    with pytest.raises(CollectionError, match="one vector per clip"):
        read_collection(files.features, files.trailers, files.splits, mixed, GENRES)


def test_an_empty_split_is_refused(write: "Callable[..., Files]", tmp_path: Path) -> None:
    files = write(tmp_path, {"a": 2, "b": 3}, {})
    with pytest.raises(CollectionError, match="too small"):
        read_collection(files.features, files.trailers, files.splits, EXPERTS, GENRES)


def test_a_trailer_without_clips_is_named(write: "Callable[..., Files]", tmp_path: Path) -> None:
    files = write(tmp_path, {"a": 2, "b": 3}, {"a": "train", "lost": "train"})
    with pytest.raises(CollectionError, match="lost"):
        read_collection(files.features, files.trailers, files.splits, EXPERTS, GENRES)


def test_embeddings_that_are_not_finite_are_refused(
    write: "Callable[..., Files]", tmp_path: Path
) -> None:
    files = write(tmp_path, {"a": 2, "b": 3}, {"a": "train", "b": "train"})
    path = next(p for p in (files.features / "eye").iterdir() if pq.read_table(p).num_rows)
    table = pq.read_table(path)
    rows = table["embedding"].to_pylist()
    rows[0][0] = float("nan")
    broken = pa.array(rows, table.schema.field("embedding").type)
    pq.write_table(table.set_column(2, "embedding", broken), path)
    with pytest.raises(FeaturesError, match=r"eye.*not finite"):
        read_collection(files.features, files.trailers, files.splits, EXPERTS, GENRES)
