"""ingest: manifest and videos, checked -> data/trailers.parquet, data/sources.parquet."""

from collections import Counter

from mmx.collection import ingest_collection
from mmx.engine.parquet import write_parquet
from mmx.errors import plain_errors
from mmx.pipeline import check_stage_tools, require_weights
from mmx.project import Project, open_project


def run(project: Project) -> None:
    """Write both tables and say how many rows are in and why others are not."""
    layout = project.layout
    check_stage_tools("ingest", project)
    require_weights(project)
    with project.store.locked("ingest"):
        tables = ingest_collection(project)
        # The order of the genres is that of the logits: with it in the file, another order is
        # another file to every stage that learns from the labels.
        vocabulary = {"genres": "|".join(project.params.collection.genres)}
        write_parquet(tables.trailers, layout.trailers, vocabulary)
        write_parquet(tables.sources, layout.sources)
    rejected = Counter(filter(None, tables.trailers["reason"].to_pylist()))
    print(f"ingest: {len(tables.sources)} accepted, {rejected.total()} rejected")
    for reason, count in sorted(rejected.items()):
        print(f"  {count} x {reason}")


if __name__ == "__main__":
    with plain_errors():
        run(open_project())
