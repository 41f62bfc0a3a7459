"""scenes: the shots of every accepted trailer -> data/clips/."""

from typing import Any

from mmx.engine.run import Recipe
from mmx.outputs import TableOutput
from mmx.pipeline.step import OVERRUN, PICTURE_TOOLS, VIDEO, TrailerStep
from mmx.pipeline.upstream import Upstream
from mmx.rates import Rate


def arguments(upstream: Upstream, trailer: str) -> dict[str, Any]:
    """Return the arguments of `detect_item`."""
    project = upstream.project
    return {
        "video": upstream.video(trailer).path,
        "params": project.params.scenes,
        "limits": project.limits,
    }


OUTPUT = TableOutput("data/clips", "c")
STEP = TrailerStep(
    name="scenes",
    needs=(VIDEO,),
    recipe=Recipe(
        "mmx.scenes.shots:detect_item", ("mmx.media.faults:MediaFault",), overrun=OVERRUN
    ),
    keys=("scenes",),
    tools=(*PICTURE_TOOLS, "scenedetect"),
    output=OUTPUT,
    arguments=arguments,
    reads=lambda upstream, trailer: [upstream.video(trailer)],
    rate=lambda params: Rate(seconds=0.7, bytes=1000),
)
