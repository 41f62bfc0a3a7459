"""audio: the sound of every accepted trailer -> data/audio/."""

from typing import Any

from mmx.engine.run import Recipe
from mmx.outputs import FilesOutput
from mmx.pipeline.step import CORE_TOOLS, OVERRUN, SOUND, TrailerStep
from mmx.pipeline.upstream import Upstream
from mmx.rates import Rate


def arguments(upstream: Upstream, trailer: str) -> dict[str, Any]:
    """Return the arguments of `extract_item`."""
    project = upstream.project
    return {
        "video": upstream.video(trailer).path,
        "params": project.params.audio,
        "limits": project.limits,
    }


STEP = TrailerStep(
    name="audio",
    needs=(SOUND,),
    recipe=Recipe(
        "mmx.media.audio:extract_item", ("mmx.media.faults:MediaFault",), overrun=OVERRUN
    ),
    keys=("audio",),
    tools=(*CORE_TOOLS, "av"),
    output=FilesOutput("data/audio", ".wav"),
    arguments=arguments,
    reads=lambda upstream, trailer: [upstream.video(trailer)],
    rate=lambda params: Rate(seconds=0.3, bytes=60 * 2 * params.audio.rate),
)
