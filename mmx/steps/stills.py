"""stills: frames, flow and sound of some clips of every trailer -> reports/stills/."""

from collections.abc import Iterator
from typing import Any

from mmx.engine.files import InputFile
from mmx.engine.run import Recipe
from mmx.outputs import FilesOutput
from mmx.pipeline.step import OVERRUN, PICTURE_TOOLS, VIDEO, TrailerStep
from mmx.pipeline.upstream import Upstream
from mmx.rates import Rate
from mmx.stills.sheet import Cells


def arguments(upstream: Upstream, trailer: str) -> dict[str, Any]:
    """Return the arguments of `stills_item`."""
    project = upstream.project
    params = project.params.evaluate
    made = {name: upstream.file(name, trailer) for name in ("flow", "audio")}
    paths = {name: file and file.path for name, file in made.items()}
    return {
        "video": upstream.video(trailer).path,
        "flow": paths["flow"],
        "sound": paths["audio"],
        "rate": project.params.audio.rate,
        "clips": upstream.clips(trailer),
        "count": params.key_frames,
        "cells": Cells(params.frame_width, params.preview_frames),
        "limits": project.limits,
    }


def reads(upstream: Upstream, trailer: str) -> Iterator[InputFile]:
    """Yield the files that the sheet is made of."""
    yield upstream.video(trailer)
    yield from filter(None, (upstream.file(name, trailer) for name in ("flow", "audio")))


STEP = TrailerStep(
    name="stills",
    needs=(VIDEO, "scenes", "flow", "audio"),
    recipe=Recipe("mmx.stills.item:stills_item", ("mmx.media.faults:MediaFault",), overrun=OVERRUN),
    keys=("evaluate.frame_width", "evaluate.key_frames", "evaluate.preview_frames"),
    tools=PICTURE_TOOLS,
    output=FilesOutput("reports/stills", ".webp"),
    arguments=arguments,
    reads=reads,
    rate=lambda params: Rate(seconds=0.6, bytes=20_000),
)
