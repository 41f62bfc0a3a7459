"""What changes for a collection with more trailers than 64 shards are for."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from mmx.features import read_table
from mmx.features.validate import validate
from mmx.outputs import count_in
from mmx.pipeline.registry import run_step
from mmx.pipeline.upstream import Upstream
from mmx.project import open_project

pytestmark = pytest.mark.slow


def test_a_collection_that_outgrows_its_shards_is_written_anew_and_computes_nothing(
    root: Path, run_items: Callable[[Path], Counter[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = open_project(root)
    features, name = project.layout.features, "lite_scene"
    run_step("features", project)
    few = read_table(features / name)
    monkeypatch.setattr("mmx.engine.shards.CROWDED", 0.02)
    assert run_items(root) == Counter()
    run_step("features", project)
    assert {path.stem[-4:] for path in (features / name).iterdir()} == {"-256"}
    assert count_in(project.layout.flow) == 256
    assert read_table(features / name).equals(few)
    one = few["trailer_id"][0].as_py()
    assert len(read_table(features / name, [one])) == few["trailer_id"].to_pylist().count(one)
    assert list(validate(features)) == []
    assert Upstream(project).clips(one)
