"""flow: Dual TV-L1 optical flow within the clips of every trailer -> data/flow/."""

from typing import Any

from mmx.device import find_device
from mmx.engine.run import Recipe
from mmx.outputs import FilesOutput
from mmx.pipeline.step import OVERRUN, PICTURE_TOOLS, VIDEO, TrailerStep
from mmx.pipeline.upstream import Upstream


def arguments(upstream: Upstream, trailer: str) -> dict[str, Any]:
    """Return the arguments of `flow_item`."""
    project, source = upstream.project, upstream.sources[trailer]
    return {
        "video": upstream.video(trailer).path,
        "shown": (source["width"], source["height"]),
        "clips": upstream.clips(trailer),
        "params": project.params.flow,
        "limits": project.limits,
        "device": find_device(project.params.run.device),
    }


STEP = TrailerStep(
    name="flow",
    needs=(VIDEO, "scenes"),
    recipe=Recipe(
        "mmx.flow.item:flow_item",
        ("mmx.media.faults:MediaFault",),
        overrun=OVERRUN,
        parts="pairs",
        before="mmx.flow.cache:cache_folder",
    ),
    keys=("flow",),
    tools=(*PICTURE_TOOLS, "numba"),
    output=FilesOutput("data/flow", ".flow"),
    arguments=arguments,
    reads=lambda upstream, trailer: [upstream.video(trailer)],
    seconds_per_minute=7.0,
    uses_gpu=True,
)
