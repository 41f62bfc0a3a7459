"""Where a project stands: `mmx status` (what is done), `mmx plan` (what a run would cost)."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from mmx.collection import ingest_collection
from mmx.engine.receipt import Fault, Ingredients, Receipt
from mmx.outputs import read_receipts
from mmx.pipeline import Upstream, ingredients_of
from mmx.project import Project
from mmx.steps import VIDEO, Step, trailer_steps


@dataclass(frozen=True)
class StepStatus:
    """One step: how many of its items are in which state. The four add up to the trailers."""

    step: str
    done: int
    """Made from the present inputs, parameters and code."""
    failed: int
    """A recorded fault of the input."""
    pending: int
    """To be made, or to be made again."""
    blocked: int
    """An earlier step has no result for the trailer."""


@dataclass(frozen=True)
class TrailerFault:
    """A recorded fault: which step, which trailer, why."""

    step: str
    trailer: str
    reason: str


@dataclass(frozen=True)
class Status:
    """What `mmx status` tells."""

    steps: tuple[StepStatus, ...]
    faults: tuple[TrailerFault, ...]


@dataclass(frozen=True)
class StepPlan:
    """What a run of one step would do."""

    step: str
    compute: int
    """Items to compute, at most: a changed item may leave its followers as they are."""
    reuse: int
    seconds_per_item: float | None
    """Mean of the journal; None where the step has never run here."""
    bytes_per_item: float | None
    """Mean of the receipts."""
    hours: float | None
    """On this machine, with the project's number of workers."""
    terabytes: float | None
    """Added by the items to compute."""


def present(project: Project) -> Upstream:
    """Return what a run would begin with: the manifest and the videos as they are by now."""
    return Upstream(project, given=ingest_collection(project).sources)


def project_status(project: Project) -> Status:
    """Compare every step's receipts with what they would be now; computes nothing."""
    upstream = present(project)
    steps, faults = [], []
    for step in trailer_steps(project.params):
        made = read_receipts(step.output.path(project.layout.root))
        ingredients = ingredients_of(step, project)
        states = {
            trailer: state_of(made.get(trailer), upstream.inputs(step, trailer), ingredients)
            for trailer in upstream.sources
        }
        counts = {name: list(states.values()).count(name) for name in STATES}
        steps.append(StepStatus(step.name, **counts))
        faults += [
            TrailerFault(step.name, trailer, fault.reason)
            for trailer, fault in recorded_faults(made).items()
            if states.get(trailer) == "failed"
        ]
    return Status(tuple(steps), tuple(faults))


STATES = ("done", "failed", "pending", "blocked")


def state_of(
    made: Receipt | None,
    inputs: dict[str, str] | None,
    ingredients: Callable[[dict[str, str]], Ingredients],
) -> str:
    """Return which of STATES one item is in, given its receipt and its present inputs."""
    if inputs is None:
        return "blocked"
    if made is None or made.fingerprint != ingredients(inputs).fingerprint:
        return "pending"
    return "failed" if made.fault else "done"


def recorded_faults(receipts: dict[str, Receipt]) -> dict[str, Fault]:
    """Return the faults among receipts, by trailer."""
    return {trailer: made.fault for trailer, made in sorted(receipts.items()) if made.fault}


def project_plan(project: Project) -> list[StepPlan]:
    """Say for each step what a run would compute, and from measured rates at what cost.

    An item whose earlier step has to be computed counts as to be computed too.
    """
    upstream = present(project)
    missing: dict[str, set[str]] = {}
    plans = []
    for step in trailer_steps(project.params):
        missing[step.name] = to_compute(step, upstream, missing)
        plans.append(step_plan(step, project, len(missing[step.name]), len(upstream.sources)))
    return plans


def to_compute(step: Step, upstream: Upstream, missing: dict[str, set[str]]) -> set[str]:
    """Return the trailers of a step that neither the store nor its output directory has."""
    project = upstream.project
    made = read_receipts(step.output.path(project.layout.root))
    have = {receipt.fingerprint for receipt in made.values()}
    ingredients = ingredients_of(step, project)
    earlier = [need for need in step.needs if need != VIDEO]
    found = set()
    for trailer in upstream.sources:
        inputs = upstream.inputs(step, trailer)
        if any(trailer in missing[need] for need in earlier):
            found.add(trailer)
        elif inputs is not None:
            fingerprint = ingredients(inputs).fingerprint
            if fingerprint not in have and not project.store.find(step.name, fingerprint):
                found.add(trailer)
    return found


def step_plan(step: Step, project: Project, compute: int, total: int) -> StepPlan:
    """Extrapolate from the journal and the receipts of one step."""
    seconds = mean(entry["seconds"] for entry in project.store.journal(step.name))
    sizes = mean(
        sum(output.size for output in receipt.outputs)
        for receipt in project.store.receipts(step.name)
        if not receipt.fault
    )
    return StepPlan(
        step.name,
        compute,
        total - compute,
        seconds,
        sizes,
        None if seconds is None else compute * seconds / project.workers / 3600,
        None if sizes is None else compute * sizes / 1e12,
    )


def mean(values: Iterable[float]) -> float | None:
    """Return the mean, or None of nothing."""
    listed = list(values)
    return fmean(listed) if listed else None


def as_plain(data: Any) -> Any:
    """Return a dataclass, or a list of them, as plain JSON data."""
    if isinstance(data, list | tuple):
        return [as_plain(part) for part in data]
    return asdict(data)
