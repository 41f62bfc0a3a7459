"""`mmx status`: how many items of each step are done, failed, pending or blocked, and why."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mmx.dvc_state.lock import read_lock
from mmx.dvc_state.tracked import git_faults
from mmx.engine.receipt import Ingredients, Receipt
from mmx.forget.certificate import marked_models
from mmx.outputs import read_receipts
from mmx.pipeline.ingredients import ingredients_of
from mmx.pipeline.registry import trailer_steps
from mmx.pipeline.upstream import Upstream
from mmx.project import Project


@dataclass(frozen=True)
class StepStatus:
    """Number of items of one step in each state; together the number of trailers."""

    step: str
    done: int
    """Computed from the present inputs, parameters and code."""
    failed: int
    """A recorded fault of the input."""
    pending: int
    """To be computed, or to be computed again."""
    blocked: int
    """An earlier step has no result for the trailer."""


@dataclass(frozen=True)
class TrailerFault:
    """A recorded fault: which step, which trailer, why."""

    step: str
    trailer: str
    reason: str


@dataclass(frozen=True)
class ProjectStatus:
    """The result of `mmx status`."""

    steps: tuple[StepStatus, ...]
    faults: tuple[TrailerFault, ...]
    notes: tuple[str, ...] = ()
    """What is wrong with the project itself, each with the remedy, in a sentence."""


def present(project: Project) -> Upstream:
    """Return the inputs of a run that starts now: the present manifest and videos."""
    from mmx.trailers.intake import ingest_project

    return Upstream(project, given=ingest_project(project).sources)


def project_status(project: Project) -> ProjectStatus:
    """Compare the receipts of every step with the present fingerprints; computes nothing.

    In a clone without videos, the accepted trailers of the last run stand for the present ones.
    """
    upstream, notes = _upstream(project)
    steps: list[StepStatus] = []
    faults: list[TrailerFault] = []
    for step in trailer_steps(project.params):
        made = read_receipts(step.output.path(project.layout.root))
        ingredients = ingredients_of(step, project)
        states = {
            trailer: _state_of(made.get(trailer), upstream.inputs(step, trailer), ingredients)
            for trailer in upstream.sources
        }
        counts = Counter(states.values())
        steps.append(StepStatus(step.name, **{name: counts[name] for name in STATES}))
        faults += [
            fault for fault in _faults_of(step.name, made) if states.get(fault.trailer) == "failed"
        ]
    return ProjectStatus(tuple(steps), tuple(faults), tuple(notes) + _notes(project.layout.root))


def _notes(root: Path) -> tuple[str, ...]:
    """Return what is wrong with git beside DVC, with models, and with `mmx forget`."""
    marked = {model.md5 for model in marked_models(root)}
    models = [path for path, md5 in read_lock(root).outs.items() if md5 in marked]
    seen = f"{', '.join(models)} saw trailers that were taken out: `dvc repro` trains without them"
    return (*git_faults(root), *([seen] if models else ()))


def _upstream(project: Project) -> tuple[Upstream, list[str]]:
    """Return what the steps would read, and notes about what of it is not here."""
    from mmx.trailers.borrow import borrow_videos, videos_are_missing

    layout = project.layout
    borrow_videos(project)
    if not videos_are_missing(layout.manifest, layout.videos) or not layout.sources.exists():
        return present(project), []
    return Upstream(project), [NO_VIDEOS]


NO_VIDEOS = (
    "data/videos has none of the videos that data/trailers.csv names; the counts are of the last "
    "run: `mmx init` links them, and `dvc repro --downstream train` trains without them"
)


STATES = ("done", "failed", "pending", "blocked")


def _state_of(
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


def _faults_of(step: str, receipts: Mapping[str, Receipt]) -> list[TrailerFault]:
    """Return the faults among a step's receipts, by trailer."""
    return [
        TrailerFault(step, trailer, made.fault.reason)
        for trailer, made in sorted(receipts.items())
        if made.fault
    ]


@dataclass(frozen=True)
class StepHosts:
    """Where items of one step were computed."""

    step: str
    host: str
    device: str
    processor: str
    """Empty in journals of earlier versions."""
    items: tuple[str, ...]
    """Sorted; each where it was computed last."""


def hosts(project: Project) -> list[StepHosts]:
    """Return the hosts, devices and processors of each step's items, by the journal."""
    found = []
    for step in trailer_steps(project.params):
        last = {entry["item"]: entry for entry in project.store.journal(step.name)}
        places: dict[tuple[str, str, str], list[str]] = {}
        for item, entry in sorted(last.items()):
            place = (entry["host"], entry["device"], entry.get("processor", ""))
            places.setdefault(place, []).append(item)
        found += [StepHosts(step.name, *key, tuple(items)) for key, items in sorted(places.items())]
    return found
