import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmx.features import load, read_embeddings, read_table
from mmx.features.read import FeaturesError, list_experts, shard_paths

if TYPE_CHECKING:
    from tests.features.conftest import Collection, MakeCollection


def test_rows_are_sorted_across_shards(collection: "Collection", built: Path) -> None:
    table = read_table(built / "clips", columns=["clip", "trailer_id"])
    keys = list(zip(table["trailer_id"].to_pylist(), table["clip"].to_pylist(), strict=True))
    assert keys == sorted(keys)
    assert len(keys) == sum(count or 0 for count in collection.counts.values())


def test_only_the_trailers_asked_for(built: Path) -> None:
    table = read_table(built / "clips", ["clue", "élan"])
    assert table["trailer_id"].to_pylist() == ["clue"] * 5 + ["élan"]


@pytest.mark.parametrize("wanted", [[], ["nobody"], ["dune"]])
def test_trailers_without_rows_give_an_empty_table(built: Path, wanted: list[str]) -> None:
    table = read_table(built / "clips", wanted, ["clip"])
    assert (table.num_rows, table.column_names) == (0, ["clip"])


def test_a_folder_without_shards_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="dvc repro features"):
        read_table(tmp_path)


def test_embeddings_of_one_vector_per_clip(collection: "Collection", built: Path) -> None:
    found = read_embeddings(built, "picture")
    assert found.offsets is None
    assert found.values.dtype == np.float32 and found.values.shape == (11, 4)
    for name, clip, vector in zip(found.trailer_id, found.clip, found.values, strict=True):
        np.testing.assert_array_equal(vector, collection.expected(str(name), "picture")[int(clip)])


def test_embeddings_of_a_sequence_expert(collection: "Collection", built: Path) -> None:
    found = read_embeddings(built, "sound", ["clue"])
    assert found.offsets is not None
    assert found.clip.tolist() == [1, 2, 3, 4]
    expected = collection.expected("clue", "sound")
    for clip, start, stop in zip(found.clip, found.offsets, found.offsets[1:], strict=False):
        np.testing.assert_array_equal(found.values[start:stop], expected[int(clip)])


def test_unknown_expert(built: Path) -> None:
    with pytest.raises(KeyError, match="smell"):
        read_embeddings(built, "smell")


def test_experts_are_listed_with_their_modality(built: Path) -> None:
    assert list_experts(built) == {"picture": "appearance", "sound": "audio"}


def test_the_view_aligns_every_expert_with_the_clips(collection: "Collection", built: Path) -> None:
    view = load(built)
    embedded = sorted(name for name, count in collection.counts.items() if count)
    assert view.trailer_ids == embedded
    picture, sound = view.experts["picture"], view.experts["sound"]
    assert sound.offsets is not None
    for i, name in enumerate(embedded):
        first, last = view.clip_offsets[i : i + 2]
        assert last - first == collection.counts[name]
        for clip in range(last - first):
            row = first + clip
            np.testing.assert_array_equal(
                picture.values[row], collection.expected(name, "picture")[clip]
            )
            vectors = collection.expected(name, "sound").get(clip)
            assert sound.present[row] == (vectors is not None)
            heard = sound.values[sound.offsets[row] : sound.offsets[row + 1]]
            np.testing.assert_array_equal(heard, np.empty((0, 3)) if vectors is None else vectors)
    assert picture.present.all()


def test_the_view_of_some_trailers_and_experts(built: Path) -> None:
    view = load(built, ["brazil", "alien", "dune"], ["sound"])
    assert view.trailer_ids == ["alien", "brazil"]
    assert list(view.experts) == ["sound"]
    assert view.experts["sound"].present.tolist() == [False, True, True, False, False]
    np.testing.assert_array_equal(view.start_s, [0, 1, 2, 0, 1])
    np.testing.assert_array_equal(view.stop_s, [1, 2, 3, 1, 2])


def test_an_expert_without_rows_is_absent_everywhere(
    make_collection: "MakeCollection", tmp_path: Path
) -> None:
    make_collection(tmp_path / "c", {"brazil": 2}).build(tmp_path / "out")
    view = load(tmp_path / "out")
    sound = view.experts["sound"]
    assert not sound.present.any()
    assert sound.values.shape == (0, 3)
    assert sound.offsets is not None
    assert sound.offsets.tolist() == [0, 0, 0]


def _copied(built: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A copy of a store, and one shard of its expert `picture` that has rows."""
    store = tmp_path / "store"
    shutil.copytree(built, store)
    paths = shard_paths(store / "picture")
    return store, next(path for path in paths if pq.read_metadata(path).num_rows)


def test_a_clip_with_two_rows_is_refused(built: Path, tmp_path: Path) -> None:
    store, path = _copied(built, tmp_path)
    table = pq.read_table(path)
    path.unlink()
    pq.write_table(pa.concat_tables([table, table.slice(0, 1)]), path)
    with pytest.raises(FeaturesError, match="two rows for clip"):
        read_embeddings(store, "picture")


def test_a_number_that_is_not_finite_is_refused(built: Path, tmp_path: Path) -> None:
    store, path = _copied(built, tmp_path)
    table = pq.read_table(path)
    place = table.schema.get_field_index("embedding")
    wrong = [[np.nan] * len(vector) for vector in table["embedding"].to_pylist()]
    field = table.schema.field(place)
    path.unlink()
    pq.write_table(table.set_column(place, field, pa.array(wrong, field.type)), path)
    with pytest.raises(FeaturesError, match="not finite"):
        read_embeddings(store, "picture")
