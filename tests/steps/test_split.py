from pathlib import Path

import pyarrow as pa
import pytest

from mmx.engine.parquet import write_parquet
from mmx.outputs import ITEM
from mmx.project import open_project
from mmx.steps import scenes
from mmx.steps.split import STEP, SameVideoError
from mmx.trailers.places import read_places

TOP = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "params.yaml").write_bytes((TOP / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(root: Path, trailers: dict[str, tuple[str, str, int]]) -> None:
    """Write what the split reads: by trailer its group, its video's digest, its clips."""
    names = sorted(trailers)
    groups, digests, clips = zip(*(trailers[name] for name in names), strict=True)
    about = {
        "trailer_id": names,
        "group_id": groups,
        "genres": [["Drama"]] * len(names),
        "status": ["accepted"] * len(names),
    }
    write_parquet(pa.table(about), root / "data/trailers.parquet")
    write_parquet(pa.table({ITEM: names, "sha256": digests}), root / "data/sources.parquet")
    rows = [name for name, count in zip(names, clips, strict=True) for _ in range(count)]
    shard = scenes.OUTPUT.path(root) / scenes.OUTPUT.shard_name("00")
    write_parquet(pa.table({ITEM: rows}), shard)


def sides(root: Path) -> dict[str, str]:
    STEP.function(open_project())
    rows = read_places(root / "data/splits.parquet").to_pylist()
    return {row["trailer_id"]: row["split"] for row in rows}


def test_a_trailer_that_comes_back_has_its_place(root: Path) -> None:
    whole = {f"t{n}": (f"t{n}", f"d{n}", 10) for n in range(30)}
    first = sides_of(root, whole)
    fewer = {name: (*about[:2], 3 if name < "t2" else 10) for name, about in whole.items()}
    fewer.pop("t9")
    assert sides_of(root, fewer) == first
    assert sides_of(root, whole | {"new": ("new", "dn", 10)}).items() >= first.items()


def sides_of(root: Path, trailers: dict[str, tuple[str, str, int]]) -> dict[str, str]:
    put(root, trailers)
    return sides(root)


def test_one_video_under_two_ids_is_an_error_unless_they_are_one_group(root: Path) -> None:
    put(root, {"a": ("a", "same", 10), "b": ("b", "same", 10), "c": ("c", "other", 10)})
    with pytest.raises(SameVideoError, match="a, b have the same video, byte by byte: `mmx dup"):
        sides(root)
    put(root, {"a": ("g", "same", 10), "b": ("g", "same", 10), "c": ("c", "other", 10)})
    found = sides(root)
    assert found["a"] == found["b"]
