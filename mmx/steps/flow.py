"""flow: Dual TV-L1 optical flow within the clips of every trailer -> data/flow/."""

from typing import Any

from mmx.device import find_device
from mmx.engine.run import Recipe
from mmx.outputs import FilesOutput
from mmx.params import Params
from mmx.pipeline.step import OVERRUN, PICTURE_TOOLS, VIDEO, TrailerStep
from mmx.pipeline.upstream import Upstream
from mmx.rates import Rate, pairs_per_minute

_SIDE, _SECONDS, _BYTES = 256, 0.055, 9800
"""A pair of pictures whose short side has so many pixels: seconds of one core, bytes stored."""
_CROPPED = 224 / (256 * 16 / 9)
"""Share of a wide picture that `keep: crop224` stores, at the same side."""


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


def rate(params: Params) -> Rate:
    """Return what a minute of video costs: reading it, then so much per pair and pixel."""
    flow = params.flow
    pixels = pairs_per_minute(flow) * (flow.short_side / _SIDE) ** 2
    kept = _CROPPED if flow.keep == "crop224" else 1.0
    return Rate(0.7 + pixels * _SECONDS, pixels * _BYTES * kept)


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
    rate=rate,
    uses_gpu=True,
)
