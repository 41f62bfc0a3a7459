"""The temporary project in which videos are processed."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mmx.project import Project, open_project
from mmx.temporary import Source, temporary_project
from mmx.trailers.intake import SOURCES_SCHEMA


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with tools.yaml, without weights.lock.yaml."""
    template = Path(__file__).parents[1] / "params.yaml"
    (tmp_path / "params.yaml").write_bytes(template.read_bytes())
    project = open_project(tmp_path)
    project.layout.tools.parent.mkdir()
    project.layout.tools.write_text("numpy: '2'\n")
    return project


def test_it_has_only_the_videos_and_their_recorded_facts(project: Project, tmp_path: Path) -> None:
    videos = [tmp_path / "one.mp4", tmp_path / "sub" / "two.mkv"]
    videos[1].parent.mkdir()
    for video in videos:
        video.write_text(video.name)
    sources = [Source(v.stem, v, {"size": 7, "sha256": v.stem * 2}) for v in videos]
    with temporary_project(project, sources) as aside:
        table = pq.read_table(aside.layout.sources)
        assert table.schema == SOURCES_SCHEMA.empty_table().select(table.column_names).schema
        for row, video in zip(table.to_pylist(), videos, strict=True):
            assert (row["trailer_id"], row["size"]) == (video.stem, 7)
            assert row["sha256"] == video.stem * 2
            link = aside.layout.data / row["video"]
            assert link.resolve() == video and link.suffix == video.suffix
        assert aside.params == project.params
        assert aside.layout.tools.read_bytes() == project.layout.tools.read_bytes()
        assert not aside.layout.weights_lock.exists()
        assert aside.store.root.is_relative_to(aside.layout.root)
        root = aside.layout.root
    assert not root.exists() and all(video.exists() for video in videos)


def test_the_pins_of_weights_are_the_project_s(project: Project) -> None:
    project.layout.weights_lock.write_text("a: b\n")
    with temporary_project(project, []) as aside:
        assert aside.layout.weights_lock.read_text() == "a: b\n"
