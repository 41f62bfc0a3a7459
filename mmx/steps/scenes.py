"""scenes: the shots of every accepted trailer -> data/clips/."""

from functools import cache, partial
from pathlib import Path
from typing import Any

from mmx.engine.receipt import Weight
from mmx.engine.run import Recipe
from mmx.experts.weights import ingredient_of, require
from mmx.outputs import TableOutput
from mmx.params import Params
from mmx.pipeline.step import OVERRUN, PICTURE_TOOLS, VIDEO, TrailerStep
from mmx.pipeline.upstream import Upstream
from mmx.project import Project
from mmx.rates import Rate
from mmx.scenes.detectors import MODULES
from mmx.steps.embed import weights_place

OUTPUT = TableOutput("data/clips", "c")
NETWORKS = ("transnetv2",)
"""Detectors that are networks, with weights."""


def steps(params: Params) -> list[TrailerStep]:
    """Return the step with the detector that params.yaml names."""
    return [scenes_step(params.scenes.detector)]


def tools() -> tuple[str, ...]:
    """Return the tools that any detector needs."""
    return tuple(sorted({tool for name in MODULES for tool in scenes_step(name).tools}))


@cache
def scenes_step(detector: str) -> TrailerStep:
    """Return the step with a detector: its code, tools and weights are those of the detector."""
    return TrailerStep(
        name="scenes",
        needs=(VIDEO,),
        recipe=Recipe(
            "mmx.scenes.shots:detect_item", ("mmx.media.faults:MediaFault",), overrun=OVERRUN
        ),
        modules=(MODULES[detector],),
        keys=("scenes",),
        tools=(*PICTURE_TOOLS, "scenedetect", *(["torch"] if detector in NETWORKS else [])),
        output=OUTPUT,
        arguments=partial(arguments, detector),
        reads=lambda upstream, trailer: [upstream.video(trailer)],
        rate=lambda params: Rate(seconds=25.0 if detector in NETWORKS else 0.7, bytes=1000),
        weights=lambda project: tuple(_weights(detector, project).values()),
    )


def arguments(detector: str, upstream: Upstream, trailer: str) -> dict[str, Any]:
    """Return the arguments of `detect_item`."""
    project = upstream.project
    files = _weights(detector, project).items()
    common = {
        "video": upstream.video(trailer).path,
        "params": project.params.scenes,
        "limits": project.limits,
    }
    return common | ({"weights": {weight.name: path for path, weight in files}} if files else {})


def _weights(detector: str, project: Project) -> dict[Path, Weight]:
    """Return the checked files of a detector's weights, each with its entry in receipts.

    Raise WeightsError where a file is missing or is not the published one.
    """
    if detector not in NETWORKS:
        return {}
    # Imported here: it imports torch.
    from mmx.scenes.transnetv2 import WEIGHTS

    found = require([WEIGHTS], weights_place(project))
    return {status.path: ingredient_of(status) for status in found}
