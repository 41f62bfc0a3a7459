"""Run a step over a project: gather its items, complete them, lay out the result."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from mmx.device import count_gpus, find_device, take_gpu
from mmx.dvc_state.cached import CachedOutput
from mmx.engine.code import code_digest
from mmx.engine.parquet import read_parquet
from mmx.engine.receipt import Ingredients, Receipt, Weight, gc_disabled
from mmx.engine.run import Outcome, Spread, StepFailedError, Task, check, complete
from mmx.experts.base import Expert, Weights
from mmx.experts.registry import get_expert
from mmx.experts.weights import Place, Status, require, require_present, weights_folder
from mmx.media.clip import Clip
from mmx.outputs import ITEM, read_receipts
from mmx.params import EmbedParams
from mmx.project import Project
from mmx.steps import AUDIO, CLIPS, FLOW, SCENES, STAGE_TOOLS, VIDEO, Step, find_step
from mmx.tools import check_tools, tool_versions

EMBED_CHUNK = 6
"""Trailers per call of an embed worker: enough to fill batches across them."""


@dataclass(frozen=True)
class Upstream:
    """What the steps before have left: the accepted videos and each step's receipts."""

    project: Project
    cache: dict[str, dict[str, Receipt]] = field(default_factory=dict)
    shards: dict[Path, dict[str, list[Clip]]] = field(default_factory=dict)
    """Clips by file and trailer, as far as they were read."""
    given: pa.Table | None = None
    """What sources.parquet would hold by now, where that is what counts."""

    @cached_property
    def sources(self) -> dict[str, dict[str, Any]]:
        """Row of sources.parquet by trailer, sorted."""
        table = self.given
        if table is None:
            table = read_parquet(self.project.layout.sources)
        rows = table.to_pylist()
        return {row[ITEM]: row for row in sorted(rows, key=lambda row: row[ITEM])}

    def clips(self, trailer: str) -> list[Clip]:
        """Clips of a trailer, in order."""
        path = CLIPS.shard_path(self.project.layout.root, trailer)
        if path not in self.shards:
            self.shards[path] = read_clips(path) if path.exists() else {}
        return self.shards[path].get(trailer, [])

    def file(self, step: Step, trailer: str) -> Path | None:
        """Return the file that a step made of a trailer; None where the trailer has none."""
        names = step.output.own_files(trailer, self.receipts(step.name)[trailer])
        return next((step.output.path(self.project.layout.root) / name for name in names), None)

    def receipts(self, step: str) -> dict[str, Receipt]:
        """Receipts of an earlier step by trailer."""
        if step not in self.cache:
            output = find_step(step, self.project.params).output
            self.cache[step] = read_receipts(output.path(self.project.layout.root), verify=False)
        return self.cache[step]

    def inputs(self, step: Step, trailer: str) -> dict[str, str] | None:
        """Return the digest of each input of an item; None where an earlier step has none."""
        digests = {}
        for need in step.needs:
            if need == VIDEO:
                digests[VIDEO] = self.sources[trailer]["sha256"]
                continue
            receipt = self.receipts(need).get(trailer)
            if receipt is None or receipt.fault:
                return None
            digests[need] = receipt.output_digest
        return digests


def read_clips(shard: Path) -> dict[str, list[Clip]]:
    """Read the clips in one file of the table that the scenes step left, by trailer."""
    clips: dict[str, list[Clip]] = {}
    for row in read_parquet(shard).to_pylist():
        clip = Clip(row["clip"], row["start"], row["stop"], row["start_s"], row["stop_s"])
        clips.setdefault(row[ITEM], []).append(clip)
    return clips


@gc_disabled()
def run_step(name: str, project: Project, *, only: set[str] | None = None) -> Outcome:
    """Bring a step's output directory up to date and return what was reused and computed.

    only: restrict the step to these trailers. Raise StepFailedError after saving all that could be
    computed, StoreBusyError when another run is under way, ToolsError when tools.yaml is out of
    date.
    """
    step = find_step(name, project.params)
    check_tools(project.layout.tools, step.tools)
    with project.store.locked(name):
        upstream, cached = Upstream(project), cached_output(step, project)
        outcome = complete(
            step.recipe,
            trailer_tasks(step, upstream, only),
            project.store,
            cached=cached,
            spread=spread(step, project),
            prepare=preparation(step, upstream),
        )
        check(outcome, name, project.params.run.max_failed)
        lay_out(step, project, outcome, cached)
    return outcome


def require_weights(project: Project) -> None:
    """Raise WeightsError where an expert that params.yaml lists has no checked file of weights.

    For every expert at once, and before the first step: days of flow are not to be spent on a run
    whose embeddings cannot be made.
    """
    require(listed_weights(project), weights_place(project))


def require_weights_present(project: Project) -> None:
    """Raise WeightsError where a listed expert's file of weights is not there; checks nothing else.

    For the stages after the first: to hash a gigabyte in each would take longer than one trailer.
    """
    require_present(listed_weights(project), weights_place(project))


def weights_place(project: Project) -> Place:
    """Return where weights lie, and where the project pins them."""
    return Place(weights_folder(), project.layout.weights_lock)


def listed_weights(project: Project, experts: Iterable[str] = ()) -> list[Weights]:
    """Return the weights of these experts, or of those that params.yaml lists, each file once."""
    names = experts or sorted(project.params.embed.experts)
    return list(dict.fromkeys(each for name in names for each in get_expert(name).weights))


def check_stage_tools(stage: str, project: Project) -> None:
    """Raise ToolsError where tools.yaml differs from what a stage without items would use."""
    check_tools(project.layout.tools, STAGE_TOOLS[stage])


def cached_output(step: Step, project: Project) -> CachedOutput:
    """Return what DVC's cache has of the step's last output."""
    return CachedOutput(project.layout.root, step.output)


def lay_out(step: Step, project: Project, outcome: Outcome, cached: CachedOutput) -> None:
    """Build the output directory beside its place, then put it there."""
    out = step.output.path(project.layout.root)
    out.parent.mkdir(parents=True, exist_ok=True)
    with project.store.workspace() as folder:
        built = folder / "out"
        built.mkdir()
        cached.lay_out(outcome.kept, built)
        step.output.write(built, outcome.receipts, project.store, kept=outcome.kept)
        shutil.rmtree(out, ignore_errors=True)
        shutil.move(built, out)


def trailer_tasks(step: Step, upstream: Upstream, only: set[str] | None = None) -> list[Task]:
    """Return a task, without arguments yet, for each accepted trailer whose inputs are there."""
    ingredients = ingredients_of(step, upstream.project)
    tasks = []
    for trailer in upstream.sources:
        if only is not None and trailer not in only:
            continue
        inputs = upstream.inputs(step, trailer)
        if inputs is not None:
            tasks.append(Task(trailer, ingredients(inputs)))
    return tasks


def preparation(step: Step, upstream: Upstream) -> Callable[[Task], Task]:
    """Return what gives a task of `trailer_tasks` its arguments."""
    return lambda task: replace(task, arguments=arguments_of(step, task.item, upstream))


def ingredients_of(step: Step, project: Project) -> Callable[[dict[str, str]], Ingredients]:
    """Return the function from an item's inputs to its ingredients; the rest is common to all."""
    parameters = {key: project.params.value(key) for key in step.keys}
    code = code_digest(step.rooms)
    tools = tool_versions(step.tools)
    lock = project.layout.weights_lock
    weights = tuple(expert_weights(step.expert, lock).values()) if step.expert else ()

    def ingredients(inputs: dict[str, str]) -> Ingredients:
        return Ingredients(step.name, step.schema, inputs, parameters, code, tools, weights)

    return ingredients


def arguments_of(step: Step, trailer: str, upstream: Upstream) -> dict[str, Any]:
    """Return what the step's function is called with for one trailer."""
    project = upstream.project
    video = project.layout.data / upstream.sources[trailer]["video"]
    params = project.params
    if step.name == SCENES.name:
        return {"video": video, "params": params.scenes, "limits": project.limits}
    if step.name == AUDIO.name:
        return {"video": video, "params": params.audio, "limits": project.limits}
    clips = upstream.clips(trailer)
    if step.name == FLOW.name:
        return {
            "video": video,
            "clips": clips,
            "params": params.flow,
            "limits": project.limits,
            "device": find_device(params.run.device),
        }
    return embed_arguments(get_expert(step.expert), trailer, video, clips, upstream)


def embed_arguments(
    expert: Expert, trailer: str, video: Path, clips: list[Clip], upstream: Upstream
) -> dict[str, Any]:
    """Return what an expert is called with for one trailer."""
    project = upstream.project
    layout = project.layout
    return {
        "expert": expert.name,
        "source": source_of(expert, trailer, video, upstream),
        "clips": tuple(clips),
        "params": effective_params(expert.name, project.params.embed),
        "weights": {
            weight.name: path
            for path, weight in expert_weights(expert.name, layout.weights_lock).items()
        },
        "limits": project.limits,
        "rate": project.params.embed.experts[expert.name].rate,
        "device": find_device(project.params.run.device),
    }


def source_of(expert: Expert, trailer: str, video: Path, upstream: Upstream) -> Path | None:
    """Return the file that an expert reads of a trailer; None where the step before found none.

    Raise StepFailedError for a file that should be there: a trailer is silent because its receipt
    says so, not because somebody deleted its sound.
    """
    made_by = {step.name: step for step in (FLOW, AUDIO)}.get(expert.reads)
    path = upstream.file(made_by, trailer) if made_by else video
    if path is not None and not path.exists():
        raise StepFailedError(
            f"embed@{expert.name}: {path} is missing; "
            "`mmx verify` names all that is, `dvc checkout` or `dvc repro` brings it back"
        )
    return path


def effective_params(expert: str, params: EmbedParams) -> EmbedParams:
    """Return the section with the expert's own values in place of the common ones."""
    entry = params.experts[expert].model_dump(exclude_none=True)
    own = {key: entry[key] for key in ("frames_per_clip", "batch") if key in entry}
    return EmbedParams.model_validate({**params.model_dump(), **own})


@cache
def expert_weights(name: str, lock: Path) -> dict[Path, Weight]:
    """Return the checked files of an expert's weights and what a receipt says of each.

    Raise WeightsError naming every file that is missing, with where to get it, or refused.
    """
    found = require(get_expert(name).weights, Place(weights_folder(), lock))
    return {status.path: weight_of(status) for status in found}


def weight_of(status: Status) -> Weight:
    """Return what a receipt says of a checked file of weights."""
    assert status.hashes
    weights = status.weights
    return Weight(weights.file, status.hashes.sha256, status.source, weights.licence)


def spread(step: Step, project: Project) -> Spread:
    """Return how the step's work is spread over this machine."""
    computes = step.expert or step.name == FLOW.name
    device = find_device(project.params.run.device) if computes else "cpu"
    return Spread(
        workers=project.workers,
        gpus=count_gpus() if device == "cuda" else 0,
        chunk=EMBED_CHUNK if step.expert else 1,
        setup=take_gpu if device == "cuda" else None,
        device=device,
    )
