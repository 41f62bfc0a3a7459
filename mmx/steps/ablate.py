"""ablate@VARIANT: one row of tables 2 and 5, several seeds -> reports/ablations/VARIANT/."""

from functools import cache
from typing import Any

from mmx.engine.run import Recipe
from mmx.outputs import TreeOutput
from mmx.params import Params
from mmx.pipeline.collection_inputs import (
    collection_arguments,
    collection_digests,
    collection_files,
)
from mmx.pipeline.step import LEARNING_TOOLS, CollectionStep
from mmx.project import Project

FAMILY = "ablate"


def steps(params: Params) -> list[CollectionStep]:
    """Return the steps of the variants that params.yaml lists."""
    return [ablate_step(variant) for variant in params.ablate.variants]


def known_member(variant: str) -> CollectionStep:
    """Return the step of a variant, listed or not."""
    return ablate_step(variant)


def tools() -> tuple[str, ...]:
    """Return the tools that any variant needs."""
    return LEARNING_TOOLS


@cache
def ablate_step(variant: str) -> CollectionStep:
    """Return the step of one variant."""

    def arguments(project: Project) -> dict[str, Any]:
        return {**collection_arguments(project), "variant": variant, "params": project.params}

    return CollectionStep(
        name=f"{FAMILY}@{variant}",
        needs=("features", "split"),
        recipe=Recipe("mmx.evaluation.ablations:ablate_item"),
        keys=("ablate.seeds", "collection.genres", "evaluate.threshold", "model", "train"),
        tools=LEARNING_TOOLS,
        output=TreeOutput(f"reports/ablations/{variant}"),
        inputs=collection_digests,
        arguments=arguments,
        reads=collection_files,
    )
