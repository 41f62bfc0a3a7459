"""`mmx plan`: what a run would compute, and its estimated cost."""

from dataclasses import dataclass

from mmx.outputs import read_receipts
from mmx.pipeline.cost import bytes_per_item, gpu_share, hours, seconds_per_item, terabytes
from mmx.pipeline.registry import trailer_steps
from mmx.pipeline.step import TrailerStep
from mmx.pipeline.upstream import Upstream
from mmx.project import Project
from mmx.upkeep.status import known_ingredients, present


@dataclass(frozen=True)
class StepPlan:
    """What a run of one step would do."""

    step: str
    compute: int
    """Items to compute, at most: later steps are not recomputed if an item comes out unchanged."""
    reuse: int
    seconds_per_item: float | None
    """Mean of the journal; None if the step never ran on this machine."""
    bytes_per_item: float | None
    """Mean of the receipts; None if the store has no result of the step."""
    hours: float
    """On this machine, with the project's number of workers: by the journal, else by shipped
    rates per minute of video."""
    terabytes: float
    """Added by the items to compute: by the receipts, else by shipped rates."""
    core_hours: float
    """`hours` on all workers together, each of which has a core."""
    gpu_hours: float
    """The part of them in which a worker has a GPU, by the journal, as `run.gpus_per_worker` counts
    it. 0 for a step that never ran: shipped rates are of CPUs."""


def project_plan(project: Project) -> list[StepPlan]:
    """Return for each step what a run would compute, and its estimated cost.

    An item counts as to be computed if an item that it depends on has to be computed.
    """
    upstream = present(project)
    missing: dict[str, set[str]] = {}
    plans = []
    for step in trailer_steps(project.params):
        missing[step.name] = _to_compute(step, upstream, missing)
        plans.append(_step_plan(step, upstream, missing[step.name]))
    return plans


def _to_compute(step: TrailerStep, upstream: Upstream, missing: dict[str, set[str]]) -> set[str]:
    """Return the trailers of a step that neither the store nor its output directory has."""
    project = upstream.project
    made = read_receipts(step.output.path(project.layout.root))
    have = {receipt.fingerprint for receipt in made.values()}
    ingredients = known_ingredients(step, project)
    if ingredients is None:
        return set(upstream.sources)
    earlier = [missing[need] for need in step.needs if need in missing]
    found = set()
    for trailer in upstream.sources:
        inputs = upstream.inputs(step, trailer)
        if any(trailer in trailers for trailers in earlier):
            found.add(trailer)
        elif inputs is not None:
            fingerprint = ingredients(inputs).fingerprint
            if fingerprint not in have and not project.store.find(step.name, fingerprint):
                found.add(trailer)
    return found


def _step_plan(step: TrailerStep, upstream: Upstream, compute: set[str]) -> StepPlan:
    """Estimate the cost of one step from its journal and its receipts, else by shipped rates."""
    project = upstream.project
    wall = hours(step, upstream, compute)
    core_hours = wall * project.workers
    return StepPlan(
        step.name,
        len(compute),
        len(upstream.sources) - len(compute),
        seconds_per_item(step, upstream),
        bytes_per_item(step, upstream),
        wall,
        terabytes(step, upstream, compute),
        core_hours,
        core_hours * gpu_share(step, upstream) * project.params.run.gpus_per_worker,
    )
