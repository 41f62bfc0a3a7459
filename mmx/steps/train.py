"""train: the coarse genre model (section 3.2) -> models/coarse/."""

import shutil
from pathlib import Path
from typing import Any

from mmx.engine.run import Recipe
from mmx.outputs import TreeOutput
from mmx.pipeline.collection_inputs import (
    collection_arguments,
    collection_digests,
    collection_files,
)
from mmx.pipeline.step import LEARNING_TOOLS, CollectionStep
from mmx.project import Project

NEEDS = ("features", "split")


def arguments(project: Project) -> dict[str, Any]:
    """Return the arguments of `coarse_item`."""
    params = project.params
    return {
        **collection_arguments(project),
        "genres": params.collection.genres,
        "model": params.model,
        "train_params": params.train,
        "device": params.run.device,
        "live": fresh_curves(project, "train"),
    }


def fresh_curves(project: Project, name: str) -> Path:
    """Return the folder for a training's curves, after deleting those of an earlier one."""
    curves = project.layout.curves(name)
    shutil.rmtree(curves, ignore_errors=True)
    return curves


STEP = CollectionStep(
    name="train",
    needs=NEEDS,
    recipe=Recipe("mmx.training.coarse_item:coarse_item", scratch=True),
    keys=("collection.genres", "model", "train"),
    tools=LEARNING_TOOLS,
    output=TreeOutput("models/coarse"),
    inputs=collection_digests,
    arguments=arguments,
    reads=collection_files,
)
