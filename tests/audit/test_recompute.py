import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmx.audit.recompute import RELATIVE, RecomputeError, Row, draw, recompute
from mmx.engine.parquet import write_parquet
from mmx.features.describe import describe
from mmx.outputs import TableOutput
from mmx.project import Project
from mmx.steps.embed import embed_step

EXPERTS = ["lite_appearance", "lite_audio", "lite_motion", "lite_scene"]


def alter(project: Project, row: Row, change: Callable[[list[float]], list[float]]) -> None:
    """Change one published vector, and update the descriptions of the store to match."""
    output = embed_step(row.expert).output
    assert isinstance(output, TableOutput)
    name = output.shard_path(project.layout.root, row.trailer).name
    path = project.layout.features / row.expert / name
    table = pq.read_table(path)
    rows = table.to_pylist()
    for entry in rows:
        if (entry["trailer_id"], entry["clip"]) == (row.trailer, row.clip):
            entry["embedding"] = change(entry["embedding"])
    path.unlink()
    write_parquet(pa.Table.from_pylist(rows, table.schema), path)
    describe(project.layout.features)


def test_the_draw_is_even_seeded_and_without_repetition(project: Project) -> None:
    rows = draw(project.layout.features, 10, seed=3)
    assert rows == draw(project.layout.features, 10, seed=3)
    assert rows != draw(project.layout.features, 10, seed=4)
    assert len(set(rows)) == 10
    assert [row.expert for row in rows] == (EXPERTS * 3)[:10]


def test_a_draw_of_more_than_there_is_takes_all(project: Project) -> None:
    total = sum(
        pq.read_metadata(path).num_rows
        for expert in EXPERTS
        for path in (project.layout.features / expert).glob("*.parquet")
    )
    assert len(draw(project.layout.features, 10**6, seed=0)) == total


def test_nothing_to_draw_from(project: Project) -> None:
    for expert in EXPERTS:
        shutil.rmtree(project.layout.features / expert)
    with pytest.raises(RecomputeError, match="no embeddings"):
        draw(project.layout.features, 1, seed=0)


@pytest.mark.slow
def test_rows_are_identical_here(project: Project) -> None:
    found = recompute(project, 8, seed=1)
    assert found.ok
    assert found.environment == ()
    assert found.counts == {expert: {"identical": 2} for expert in EXPERTS}
    assert {comparison.difference for comparison in found.comparisons} == {0.0}


@pytest.mark.slow
def test_videos_and_published_store_are_enough(project: Project, tmp_path: Path) -> None:
    videos = tmp_path / "elsewhere"
    videos.mkdir()
    for number, path in enumerate(sorted(project.layout.videos.iterdir())):
        shutil.copyfile(path, videos / f"renamed {number}.bin")
    project.layout.features.rename(tmp_path / "features")
    for name in ("data", ".mmx", ".dvc", ".git"):
        shutil.rmtree(project.layout.root / name)
    project.layout.data.mkdir()
    (tmp_path / "features").rename(project.layout.features)
    found = recompute(project, 4, seed=1, videos=videos)
    assert found.counts == {expert: {"identical": 1} for expert in EXPERTS}


@pytest.mark.slow
def test_the_parameters_of_the_receipts_are_used(project: Project) -> None:
    params = project.params
    flow = params.flow.model_copy(update={"bound": 5.0})
    other = replace(project, params=params.model_copy(update={"flow": flow}))
    assert recompute(other, 3, seed=1).ok


@pytest.mark.slow
def test_a_manipulated_row_is_found(project: Project) -> None:
    (row,) = draw(project.layout.features, 1, seed=1)
    alter(project, row, lambda vector: [value + 0.5 for value in vector])
    found = recompute(project, 1, seed=1)
    assert not found.ok
    assert found.counts == {row.expert: {"different": 1}}


@pytest.mark.slow
def test_a_row_within_the_tolerance_is_close(project: Project) -> None:
    (row,) = draw(project.layout.features, 1, seed=1)
    alter(project, row, lambda vector: [value * (1 + RELATIVE / 2) for value in vector])
    (comparison,) = recompute(project, 1, seed=1).comparisons
    assert comparison.verdict == "close"
    assert comparison.difference == pytest.approx(RELATIVE / 2, rel=0.05)


def test_a_missing_video_is_not_ok(project: Project) -> None:
    (row,) = draw(project.layout.features, 1, seed=1)
    (project.layout.videos / f"{row.trailer}.mp4").write_bytes(b"another film")
    found = recompute(project, 1, seed=1)
    assert not found.ok
    assert [(comparison.row, comparison.verdict) for comparison in found.comparisons] == [
        (row, "no video")
    ]
