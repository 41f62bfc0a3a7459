"""What training takes from the table of trailers: the vocabulary and each one's genres."""

from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmx.items.shards import write_parquet
from mmx.layout import Layout
from mmx.learning import label_digest

GENRES = ["Drama", "War"]


@pytest.fixture
def project(tmp_path):
    layout = Layout(tmp_path)
    layout.splits.parent.mkdir(parents=True)
    write_parquet(pa.table({"trailer_id": ["a", "b"]}), layout.splits)
    params = SimpleNamespace(collection=SimpleNamespace(genres=GENRES))
    made = SimpleNamespace(layout=layout, params=params)
    write_trailers(made)
    return made


def write_trailers(project, title="A", genres=("War",)):
    columns = {
        "trailer_id": ["a", "b", "c"],
        "title": [title, "B", "C"],
        "genres": [list(genres), ["Drama"], ["War"]],
    }
    write_parquet(pa.table(columns), project.layout.trailers, {"genres": "|".join(GENRES)})


def test_a_corrected_title_leaves_the_labels_as_they_are(project):
    before = label_digest(project)
    write_trailers(project, title="A, corrected")
    assert label_digest(project) == before


def test_a_corrected_label_and_another_vocabulary_do_not(project):
    digests = [label_digest(project)]
    write_trailers(project, genres=("Drama",))
    digests.append(label_digest(project))
    project.params.collection.genres = [*GENRES, "Western"]
    digests.append(label_digest(project))
    assert len({each["labels"] for each in digests}) == 3


def test_the_vocabulary_is_noted_in_the_table(project):
    assert pq.read_schema(project.layout.trailers).metadata[b"genres"] == b"Drama|War"
    write_parquet(pq.read_table(project.layout.trailers), project.layout.trailers)
    assert b"genres" not in (pq.read_schema(project.layout.trailers).metadata or {})
