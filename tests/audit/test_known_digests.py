"""Digests of rows are reused from the last version of the feature store in DVC's cache."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mmx.dvc_state.cache import cached_files
from mmx.engine.canonical import file_digest
from mmx.features.describe import describe, known_shards
from mmx.features.digest import ShardDigest, shard_digest
from mmx.project import Project

STORE = "data/features"


def test_every_file_of_the_last_version_is_known_by_its_bytes(project: Project) -> None:
    paths = project.layout.features.rglob("*.parquet")
    digests = {file_digest(path): shard_digest(path) for path in paths}
    assert known_shards(project.layout.root, STORE) == digests


@pytest.mark.parametrize("name", ["shards.txt", "manifest.sha256"])
def test_damaged_digests_are_not_used(
    project: Project, name: str, flip: Callable[[Path], None]
) -> None:
    flip(cached_files(project.layout.root, STORE)[name])
    assert known_shards(project.layout.root, STORE) == {}


def test_without_dvc_nothing_is_known(tmp_path: Path) -> None:
    assert known_shards(tmp_path, STORE) == {}


def test_known_digests_are_not_computed(project: Project) -> None:
    store = project.layout.features
    path = sorted((store / "clips").glob("*.parquet"))[0]
    mark = ShardDigest(7, "ab" * 32)
    for text in ("shards.txt", "digest.txt", "manifest.sha256", "README.md", "croissant.json"):
        (store / text).unlink()
    describe(store, {file_digest(path): mark})
    lines = (store / "shards.txt").read_text().splitlines()
    assert f"clips/{path.name} 7 {mark.digest}" in lines
