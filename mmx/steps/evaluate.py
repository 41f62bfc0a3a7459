"""evaluate: metrics, tables, plots and the page -> reports/, data/trailer_embeddings.parquet."""

from collections.abc import Iterator
from typing import Any

from mmx.engine.atomic import write_atomic
from mmx.engine.files import InputFile
from mmx.engine.parquet import write_parquet
from mmx.engine.receipt import Receipt
from mmx.engine.run import Recipe
from mmx.outputs import FINGERPRINT, TreeOutput
from mmx.pipeline.collection_inputs import (
    collection_arguments,
    collection_digests,
    collection_files,
    model_digests,
    model_files,
)
from mmx.pipeline.step import LEARNING_TOOLS, CollectionStep
from mmx.project import Project

MODELS = ("train", "finetune")


def inputs(project: Project) -> dict[str, str]:
    """Return the digest of each input by role."""
    return {**collection_digests(project), **model_digests(project, *MODELS)}


def arguments(project: Project) -> dict[str, Any]:
    """Return the arguments of `evaluate_item`."""
    return {
        **collection_arguments(project),
        "coarse": project.layout.coarse,
        "fine": project.layout.fine,
        "params": project.params.evaluate,
    }


def reads(project: Project) -> Iterator[InputFile]:
    """Yield the files that evaluation reads."""
    yield from collection_files(project)
    yield from model_files(project, *MODELS)


def publish(project: Project, receipt: Receipt) -> None:
    """Copy metrics and embeddings to their places outside the output directory; draw the page."""
    from mmx.report.page import render
    from mmx.upkeep.status import project_status

    layout = project.layout
    write_atomic(layout.metrics, (layout.evaluation / "metrics.json").read_bytes())
    _write_embeddings(project, receipt)
    render(layout, project.params, faults=project_status(project).faults)


def _write_embeddings(project: Project, receipt: Receipt) -> None:
    """Write data/trailer_embeddings.parquet: the evaluated table with its fingerprint."""
    import pyarrow.parquet as pq

    table = pq.read_table(project.layout.evaluation / "trailer_embeddings.parquet")
    table = table.append_column(FINGERPRINT, [[receipt.fingerprint] * len(table)])
    write_parquet(table, project.layout.trailer_embeddings)


STEP = CollectionStep(
    name="evaluate",
    needs=MODELS,
    recipe=Recipe("mmx.evaluation.item:evaluate_item"),
    keys=(
        "evaluate.neighbours",
        "evaluate.perplexity",
        "evaluate.seed",
        "evaluate.threshold",
    ),
    tools=LEARNING_TOOLS,
    output=TreeOutput("reports/evaluation"),
    inputs=inputs,
    arguments=arguments,
    reads=reads,
    after=publish,
)
