"""What the table of trailers tells training and DVC: each one's genres, and the vocabulary."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmx.engine.parquet import write_parquet
from mmx.layout import Layout
from mmx.pipeline.collection_inputs import label_digest

GENRES = ["Drama", "War"]


@pytest.fixture
def project(tmp_path: Path) -> Any:
    layout = Layout(tmp_path)
    layout.splits.parent.mkdir(parents=True)
    write_parquet(pa.table({"trailer_id": ["a", "b"]}), layout.splits)
    made = SimpleNamespace(layout=layout)
    write_trailers(made)
    return made


def write_trailers(
    project: Any, title: str = "A", genres: Sequence[str] = ("War",), **added: list[str]
) -> None:
    columns = {
        "trailer_id": ["a", "b", "c"],
        "title": [title, "B", "C"],
        "genres": [list(genres), ["Drama"], ["War"]],
        **added,
    }
    write_parquet(pa.table(columns), project.layout.trailers, {"genres": "|".join(GENRES)})


def test_a_corrected_title_leaves_the_labels_as_they_are(project: Any) -> None:
    before = label_digest(project)
    write_trailers(project, title="A, corrected")
    assert label_digest(project) == before


def test_a_column_of_a_team_s_own_leaves_the_labels_as_they_are(project: Any) -> None:
    before = label_digest(project)
    write_trailers(project, director=["X", "", ""])
    assert label_digest(project) == before
    write_trailers(project, director=["X", "Y", "Z"], labels=["1", "2", "3"])
    assert label_digest(project) == before


def test_a_corrected_label_does_not(project: Any) -> None:
    before = label_digest(project)
    write_trailers(project, genres=("Drama",))
    assert label_digest(project) != before


def test_the_vocabulary_is_noted_in_the_table(project: Any) -> None:
    assert pq.read_schema(project.layout.trailers).metadata[b"genres"] == b"Drama|War"
    write_parquet(pq.read_table(project.layout.trailers), project.layout.trailers)
    assert b"genres" not in (pq.read_schema(project.layout.trailers).metadata or {})
