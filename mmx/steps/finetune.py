"""finetune: contrastive fine-tuning (section 3.3) -> models/fine/."""

from collections.abc import Iterator
from typing import Any

from mmx.engine.files import InputFile
from mmx.engine.run import Recipe
from mmx.outputs import TreeOutput
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
from mmx.steps.train import fresh_curves


def inputs(project: Project) -> dict[str, str]:
    """Return the digest of each input by role."""
    return {
        **collection_digests(project),
        **film_digest(project),
        **model_digests(project, "train"),
    }


def arguments(project: Project) -> dict[str, Any]:
    """Return the arguments of `finetune_item`."""
    return {
        **collection_arguments(project),
        "coarse": project.layout.coarse,
        "params": project.params.finetune,
        "device": project.params.run.device,
        "live": fresh_curves(project, "finetune"),
    }


def reads(project: Project) -> Iterator[InputFile]:
    """Yield the files that fine-tuning reads."""
    yield from collection_files(project)
    yield from model_files(project, "train")


STEP = CollectionStep(
    name="finetune",
    needs=("train",),
    recipe=Recipe("mmx.training.fine_item:finetune_item", scratch=True),
    keys=("finetune",),
    tools=LEARNING_TOOLS,
    output=TreeOutput("models/fine"),
    inputs=inputs,
    arguments=arguments,
    reads=reads,
)
