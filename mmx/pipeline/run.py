"""Run a step on a project: collect its items, compute the missing ones, write the output."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace

from mmx.device import count_gpus, find_device, take_gpu
from mmx.dvc_state.cached import CachedOutput
from mmx.engine.pools.cluster import LazyRayPool, RaySetting
from mmx.engine.pools.protocol import Pool
from mmx.engine.processor import cap
from mmx.engine.receipt import gc_disabled
from mmx.engine.run import Outcome, Task, Workers, check, complete
from mmx.outputs import ALL
from mmx.pipeline.admission import admission_to
from mmx.pipeline.gate import refuse_costly_recomputation
from mmx.pipeline.ingredients import ingredients_of
from mmx.pipeline.step import CollectionStep, ItemStep, TrailerStep
from mmx.pipeline.upstream import Upstream
from mmx.project import Project


@gc_disabled()
def run_trailers(step: TrailerStep, project: Project) -> Outcome:
    """Complete the items of all accepted trailers and write the output directory."""
    upstream, cached = Upstream(project), cached_output(step, project)
    outcome = complete(
        step.recipe,
        trailer_tasks(step, upstream),
        project.store,
        cached=cached,
        workers=workers_of(step, project),
        prepare=preparation(step, upstream),
        before=lambda misses: refuse_costly_recomputation(step, upstream, cached, misses),
    )
    check(outcome, step.name, project.params.run.max_failed)
    lay_out(step, project, outcome, cached)
    return outcome


def run_collection(step: CollectionStep, project: Project) -> Outcome:
    """Complete the one item of a step that reads all trailers, and write its files.

    Raise CollectionError for a collection that cannot be trained on.
    """
    cached = cached_output(step, project)
    outcome = complete(
        step.recipe,
        [_whole_task(step, project, ALL)],
        project.store,
        cached=cached,
        workers=Workers(in_process=True),
        prepare=lambda task: replace(task, arguments=step.arguments(project)),
        unit="run",
    )
    check(outcome, step.name, 0.0)
    lay_out(step, project, outcome, cached)
    step.after(project, outcome.receipts[ALL])
    return outcome


def run_side_by_side(name: str, steps: Sequence[CollectionStep], project: Project) -> None:
    """Complete the items of steps of one recipe in one pool, and write their directories.

    name: what they are together, for messages. The caller holds the store's lock. Raise
    StepFailedError for those that fail, after the others are finished; they are kept in the store.
    """
    members = {step.name: step for step in steps}
    tasks = [_whole_task(step, project, step.name) for step in steps]
    outcome = complete(
        steps[0].recipe,
        tasks,
        project.store,
        workers=_pool(steps[0], project, uses_gpu=True, chunk=1),
        prepare=lambda task: replace(task, arguments=members[task.item].arguments(project)),
        unit="runs",
    )
    check(outcome, name, 0.0)
    for step in steps:
        own = Outcome({ALL: outcome.receipts[step.name]})
        lay_out(step, project, own, cached_output(step, project))


def _whole_task(step: CollectionStep, project: Project, item: str) -> Task:
    """Return the task of a step that reads all trailers, without arguments yet."""
    # Listed before the digests are taken, so that a change in between is detected.
    reads = tuple(step.reads(project))
    return Task(item, ingredients_of(step, project)(step.inputs(project)), reads=reads)


def cached_output(step: ItemStep, project: Project) -> CachedOutput:
    """Return the step's last output as DVC's cache has it."""
    return CachedOutput(project.layout.root, step.output)


def lay_out(step: ItemStep, project: Project, outcome: Outcome, cached: CachedOutput) -> None:
    """Build the output directory in a temporary folder, then move it into place."""
    out = step.output.path(project.layout.root)
    out.parent.mkdir(parents=True, exist_ok=True)
    with project.store.workspace() as folder:
        built = folder / "out"
        built.mkdir()
        cached.lay_out(outcome.kept, built)
        step.output.write(built, outcome.receipts, project.store, outcome.kept)
        shutil.rmtree(out, ignore_errors=True)
        shutil.move(built, out)


def trailer_tasks(step: TrailerStep, upstream: Upstream) -> list[Task]:
    """Return a task, without arguments yet, for each accepted trailer whose inputs exist."""
    ingredients = ingredients_of(step, upstream.project)
    tasks = []
    for trailer in upstream.sources:
        inputs = upstream.inputs(step, trailer)
        if inputs is not None:
            tasks.append(Task(trailer, ingredients(inputs)))
    return tasks


def preparation(step: TrailerStep, upstream: Upstream) -> Callable[[Task], Task]:
    """Return a function that adds the arguments to a task of `trailer_tasks`."""
    return lambda task: replace(
        task,
        arguments=step.arguments(upstream, task.item),
        reads=tuple(step.reads(upstream, task.item)),
    )


def workers_of(step: TrailerStep, project: Project) -> Pool:
    """Return the pool that computes a step's items: processes of this machine, or a cluster."""
    return _pool(step, project, uses_gpu=step.uses_gpu, chunk=step.chunk)


def _pool(step: ItemStep, project: Project, *, uses_gpu: bool, chunk: int) -> Pool:
    run = project.params.run
    cap(run.processor)
    if run.engine == "ray":
        return _cluster(step, project, uses_gpu, chunk)
    device = find_device(run.device) if uses_gpu else "cpu"
    return Workers(
        count=project.workers,
        gpus=count_gpus() if device == "cuda" else 0,
        chunk=chunk,
        setup=take_gpu if device == "cuda" else None,
        device=device,
    )


def _cluster(step: ItemStep, project: Project, uses_gpu: bool, chunk: int) -> Pool:
    """Return the workers of the cluster that params.yaml names."""
    run = project.params.run
    setting = RaySetting(run.address, run.gpus_per_worker, run.node_cache_gb, run.processor)
    return LazyRayPool(
        setting,
        lambda: admission_to(step),
        chunk,
        uses_gpu and run.device in ("auto", "cuda"),
    )
