"""embed@EXPERT: one expert's embedding of every clip -> data/embeddings/EXPERT/."""

from collections.abc import Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from mmx.device import find_device
from mmx.engine.files import FileState, InputFile
from mmx.engine.receipt import Weight
from mmx.engine.run import Recipe
from mmx.experts.base import Weights
from mmx.experts.rates import expert_rate
from mmx.experts.reading import READERS
from mmx.experts.registry import MODULES, expert_names, get_expert
from mmx.experts.weights import (
    Place,
    ingredient_of,
    require,
    require_present,
    weights_folder,
)
from mmx.outputs import TableOutput
from mmx.params import EmbedParams, Params
from mmx.pipeline.step import OVERRUN, PICTURE_TOOLS, VIDEO, TrailerStep
from mmx.pipeline.upstream import Upstream
from mmx.project import Project

FAMILY = "embed"
UPSTREAM = {"clips": VIDEO, "flow": "flow", "audio": "audio"}
"""Input that an expert needs besides the clips, by the artefact that it reads."""
CHUNK = 6
"""Trailers per call: enough to fill batches across trailers."""
OWN = ("batch", "frames_per_clip")
"""Parameters of `embed` that an expert may override."""


def steps(params: Params) -> list[TrailerStep]:
    """Return the steps of the experts that params.yaml lists."""
    return [embed_step(name) for name in sorted(params.embed.experts)]


def tools() -> tuple[str, ...]:
    """Return the tools that any registered expert needs."""
    return tuple(tool for name in expert_names() for tool in embed_step(name).tools)


def known_member(name: str) -> TrailerStep | None:
    """Return the step of an expert, listed or not; None for a name that is not registered."""
    return embed_step(name) if name in MODULES else None


def step_name(expert: str) -> str:
    """Return the name of an expert's step."""
    return f"{FAMILY}@{expert}"


@cache
def embed_step(name: str) -> TrailerStep:
    """Return the step of one registered expert; raise ExpertError for an unknown name."""
    expert = get_expert(name)
    own = tuple(f"{FAMILY}.experts.{name}.{key}" for key in (*OWN, "rate"))
    return TrailerStep(
        name=step_name(name),
        needs=(UPSTREAM[expert.reads], "scenes"),
        recipe=Recipe(
            "mmx.experts.item:embed_items",
            ("mmx.media.faults:MediaFault",),
            overrun=OVERRUN,
            job="mmx.experts.job:EmbedJob",
        ),
        modules=(MODULES[name], READERS[expert.reads]),
        keys=("embed.batch", "embed.frames_per_clip", "embed.precision", *own),
        normalise=partial(_effective, name),
        tools=tuple(sorted({*PICTURE_TOOLS, *expert.tools})),
        output=TableOutput(f"data/embeddings/{name}", "e"),
        arguments=partial(arguments, name),
        reads=partial(_files_of, name),
        rate=partial(expert_rate, expert),
        weights=lambda project: tuple(_expert_weights(name, project).values()),
        chunk=CHUNK,
        uses_gpu=True,
    )


def _effective(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return an expert's parameters, with its own values instead of the common ones.

    values: by leaf key; in receipts of earlier versions the whole entry under its own key.
    """
    entry = f"{FAMILY}.experts.{name}"
    given = {key.removeprefix(f"{entry}."): value for key, value in values.items()}
    given |= given.pop(entry, {})
    found = {
        f"{FAMILY}.{key}": given[key] if given.get(key) is not None else values[f"{FAMILY}.{key}"]
        for key in OWN
    }
    return {
        **found,
        "embed.precision": values["embed.precision"],
        f"{entry}.rate": given.get("rate", "native"),
    }


def arguments(name: str, upstream: Upstream, trailer: str) -> dict[str, Any]:
    """Return the arguments of an expert's job for one trailer."""
    project = upstream.project
    source = source_of(name, upstream, trailer)
    files = _expert_weights(name, project).items()
    return {
        "expert": name,
        "source": source.path if source else None,
        "clips": tuple(upstream.clips(trailer)),
        "params": _effective_params(name, project.params.embed),
        "weights": {weight.name: path for path, weight in files},
        "limits": project.limits,
        "rate": project.params.embed.experts[name].rate,
        "device": find_device(project.params.run.device),
    }


def source_of(name: str, upstream: Upstream, trailer: str) -> InputFile | None:
    """Return the file that an expert reads of a trailer; None if an earlier step made none."""
    need = UPSTREAM[get_expert(name).reads]
    return upstream.video(trailer) if need == VIDEO else upstream.file(need, trailer)


def _files_of(name: str, upstream: Upstream, trailer: str) -> list[InputFile]:
    """Return the files that an expert reads of a trailer, and its weights."""
    source = source_of(name, upstream, trailer)
    return [*filter(None, [source]), *_weights_files(name, weights_place(upstream.project))]


@cache
def _weights_files(name: str, place: Place) -> tuple[InputFile, ...]:
    """Return the checked files of an expert's weights, in the state in which they were checked."""
    checked = _checked_weights(name, place).items()
    return tuple(
        InputFile(
            path, weight.sha256, FileState.of(path), "`mmx weights verify` says what is wrong"
        )
        for path, weight in checked
    )


def _effective_params(name: str, params: EmbedParams) -> EmbedParams:
    """Return the section with the expert's own values instead of the common ones."""
    own = params.experts[name].model_dump(include=set(OWN), exclude_none=True)
    return params.model_copy(update=own)


def _expert_weights(name: str, project: Project) -> dict[Path, Weight]:
    """Return the checked files of an expert's weights, each with its entry in receipts.

    Raise WeightsError naming every file that is missing, with where to get it, or that is wrong.
    """
    return _checked_weights(name, weights_place(project))


@cache
def _checked_weights(name: str, place: Place) -> dict[Path, Weight]:
    found = require(get_expert(name).weights, place)
    return {status.path: ingredient_of(status) for status in found}


def weights_place(project: Project) -> Place:
    """Return the folder of weights, and the file in which the project pins them."""
    return Place(weights_folder(), project.layout.weights_lock)


def listed_weights(project: Project, experts: Iterable[str] = ()) -> list[Weights]:
    """Return the weights of these experts, by default of those in params.yaml, each file once."""
    names = experts or sorted(project.params.embed.experts)
    return list(dict.fromkeys(each for name in names for each in get_expert(name).weights))


def require_weights(project: Project) -> None:
    """Raise WeightsError if weights of an expert that params.yaml lists are missing or wrong.

    Called for all experts before the first step, so that days of flow are not computed for a run
    whose embeddings cannot be.
    """
    require(listed_weights(project), weights_place(project))


def require_weights_present(project: Project) -> None:
    """Raise WeightsError if a file of weights of a listed expert is missing, without hashing it.

    For the stages after the first: hashing a gigabyte in each would take longer than one trailer.
    """
    require_present(listed_weights(project), weights_place(project))
