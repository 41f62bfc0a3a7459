"""evaluate: metrics, tables, plots, the page -> reports/; embeddings, predictions -> data/."""

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
    film_digest,
    model_digests,
    model_files,
)
from mmx.pipeline.step import LEARNING_TOOLS, CollectionStep
from mmx.project import Project

MODELS = ("train", "finetune")


def inputs(project: Project) -> dict[str, str]:
    """Return the digest of each input by role."""
    return {
        **collection_digests(project),
        **film_digest(project),
        **model_digests(project, *MODELS),
    }


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
    """Copy metrics and tables to their places outside the output directory; draw the page."""
    from mmx.report.page import render
    from mmx.upkeep.status import recorded_faults

    layout = project.layout
    write_atomic(layout.metrics, (layout.evaluation / "metrics.json").read_bytes())
    _copy_tables(project, receipt)
    render(layout, project.params, faults=recorded_faults(project))


def _copy_tables(project: Project, receipt: Receipt) -> None:
    """Write the evaluated tables to data/, with the fingerprint of the evaluation in every row."""
    import pyarrow.parquet as pq

    layout = project.layout
    for path in layout.evaluated:
        table = pq.read_table(layout.evaluation / path.name)
        table = table.append_column(FINGERPRINT, [[receipt.fingerprint] * len(table)])
        write_parquet(table, path)


STEP = CollectionStep(
    name="evaluate",
    needs=MODELS,
    recipe=Recipe("mmx.evaluation.item:evaluate_item"),
    keys=(
        "evaluate.components",
        "evaluate.neighbours",
        "evaluate.perplexity",
        "evaluate.resamples",
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
