"""ingest: manifest and videos, checked -> data/trailers.parquet, data/sources.parquet."""

from collections import Counter

from mmx.engine.parquet import write_parquet
from mmx.pipeline.step import CORE_TOOLS, PlainStep
from mmx.project import Project

_SHOWN = 50
"""Reasons that are printed, the most frequent ones."""


def run(project: Project) -> None:
    """Write both tables; print how many rows are accepted, and why others are rejected."""
    from mmx.steps.embed import require_weights
    from mmx.trailers.intake import ingest_project

    layout = project.layout
    require_weights(project)
    tables = ingest_project(project)
    # The order of the genres is that of the logits: stored in the file, so that another order is a
    # changed input of every stage that trains on the labels.
    vocabulary = {"genres": "|".join(project.params.collection.genres)}
    write_parquet(tables.trailers, layout.trailers, vocabulary)
    write_parquet(tables.sources, layout.sources)
    rejected = Counter(filter(None, tables.trailers["reason"].to_pylist()))
    print(f"ingest: {len(tables.sources)} accepted, {rejected.total()} rejected")
    for reason, count in sorted(rejected.most_common(_SHOWN)):
        print(f"  {count} x {reason}")
    if len(rejected) > _SHOWN:
        print(f"  and {len(rejected) - _SHOWN} more reasons: data/trailers.parquet has each row's")
    for genre, count in sorted(tables.dropped.most_common(_SHOWN)):
        print(f"  {count} x genre {genre!r} left out (collection.unknown_genres)")


STEP = PlainStep(name="ingest", tools=(*CORE_TOOLS, "av"), function=run)
