"""`mmx status`: how many items of each step are done, failed, pending or blocked, and why."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from mmx.dvc_state.lock import read_lock
from mmx.dvc_state.tracked import git_faults
from mmx.engine.canonical import canonical
from mmx.engine.parquet import read_parquet
from mmx.engine.receipt import Ingredients, Receipt
from mmx.experts.weights import MissingWeights
from mmx.layout import Layout
from mmx.pipeline.ingredients import ingredients_of
from mmx.pipeline.registry import trailer_steps
from mmx.pipeline.step import TrailerStep
from mmx.pipeline.upstream import Upstream
from mmx.project import Project
from mmx.trailers.label_sources import expired_sources
from mmx.upkeep.whole import whole_states


@dataclass(frozen=True)
class StepStatus:
    """Number of items of one step in each state; together the number of all."""

    step: str
    done: int
    """Computed from the present inputs, parameters and code; of ingest, accepted."""
    failed: int
    """A recorded fault of the input; of ingest, rejected."""
    pending: int
    """To be computed, or to be computed again."""
    blocked: int
    """An earlier step has no result for it."""
    of: str = "trailers"
    """What is counted: rows of the manifest, trailers, or the one run of a step that reads all."""


@dataclass(frozen=True)
class TrailerFault:
    """A recorded fault, or a rejected row: which step, which trailer, why."""

    step: str
    trailer: str
    reason: str


@dataclass(frozen=True)
class ProjectStatus:
    """The result of `mmx status`."""

    steps: tuple[StepStatus, ...]
    faults: tuple[TrailerFault, ...]
    rejected: tuple[TrailerFault, ...] = ()
    """Rows of the manifest that ingest does not take."""
    without_clips: tuple[str, ...] = ()
    """Trailers in which no clip is left: nothing is computed of them."""
    notes: tuple[str, ...] = ()
    """What is wrong with the project itself, each with the remedy, in a sentence."""


def present(project: Project) -> Upstream:
    """Return the inputs of a run that starts now: the present manifest and videos."""
    from mmx.trailers.intake import ingest_project

    return Upstream(project, given=ingest_project(project).sources)


def recorded_faults(project: Project) -> tuple[TrailerFault, ...]:
    """Return the recorded faults of accepted trailers that a run would not try again."""
    return tuple(_trailer_states(_intake(project).upstream)[1])


def project_status(project: Project) -> ProjectStatus:
    """Compare the receipts of every step with the present fingerprints; computes nothing.

    In a clone without videos, the accepted trailers of the last run stand for the present ones.
    """
    intake = _intake(project)
    counts, faults = _trailer_states(intake.upstream)
    ingest = _ingest_status(intake.rows, project)
    settled = not any(each.pending for each in (ingest, *counts))
    whole = whole_states(intake.upstream, settled=settled)
    return ProjectStatus(
        (ingest, *counts, *(_one_run(step, state) for step, state in whole.items())),
        tuple(faults),
        tuple(_rejected(intake.rows)),
        tuple(_without_clips(intake.upstream)),
        (*intake.notes, *_missing_weights(project), *_notes(project.layout)),
    )


def _one_run(step: str, state: str) -> StepStatus:
    return _status(step, {state: 1}, "run")


def _status(step: str, counts: Mapping[str, int], of: str = "trailers") -> StepStatus:
    done, failed, pending, blocked = (counts.get(name, 0) for name in STATES)
    return StepStatus(step, done, failed, pending, blocked, of)


def _ingest_status(rows: pa.Table, project: Project) -> StepStatus:
    """Count the rows that ingest accepts and rejects, and those of which it has not said so yet."""
    path = project.layout.trailers
    before = read_parquet(path).to_pylist() if path.exists() else []
    known = {canonical(row) for row in before}
    states = Counter(
        ("done" if row["status"] == "accepted" else "failed")
        if canonical(row) in known
        else "pending"
        for row in rows.to_pylist()
    )
    return _status("ingest", states, "rows")


def _rejected(rows: pa.Table) -> Iterator[TrailerFault]:
    for row in rows.to_pylist():
        if row["status"] == "rejected":
            yield TrailerFault("ingest", row["trailer_id"], row["reason"])


def _without_clips(upstream: Upstream) -> Iterator[str]:
    receipts = upstream.receipts("scenes")
    for trailer in upstream.sources:
        made = receipts.get(trailer)
        if made and not made.fault and made.facts.get("clips") == 0:
            yield trailer


def _trailer_states(upstream: Upstream) -> tuple[list[StepStatus], list[TrailerFault]]:
    """Return the counts of the steps whose items are trailers, and their recorded faults."""
    counts, faults = [], []
    for step in trailer_steps(upstream.project.params):
        made = upstream.receipts(step.name)
        ingredients = known_ingredients(step, upstream.project)
        states = {
            trailer: _state_of(made.get(trailer), upstream.inputs(step, trailer), ingredients)
            for trailer in upstream.sources
        }
        counts.append(_status(step.name, Counter(states.values())))
        faults += [
            fault for fault in _faults_of(step.name, made) if states.get(fault.trailer) == "failed"
        ]
    return counts, faults


def _notes(layout: Layout) -> tuple[str, ...]:
    """Return what is wrong with git beside DVC, with labels, and with models."""
    root = layout.root
    return (*git_faults(root), *expired_sources(layout), *_models_that_saw(root))


def _models_that_saw(root: Path) -> Iterator[str]:
    """Yield which present models saw trailers that were taken out."""
    # Imported here: few projects have taken one out.
    from mmx.trailers.tombstones import tombstones_folder

    if not tombstones_folder(root).exists():
        return
    from mmx.forget.certificate import marked_models

    marked = {model.md5 for model in marked_models(root)}
    models = [path for path, md5 in read_lock(root).outs.items() if md5 in marked]
    if models:
        seen = ", ".join(models)
        yield f"{seen} saw trailers that were taken out: `dvc repro` trains without them"


@dataclass(frozen=True)
class _Intake:
    """What the steps would read, and what of it is not here."""

    rows: pa.Table
    """As `Ingested.trailers`."""
    upstream: Upstream
    notes: tuple[str, ...] = ()


def _intake(project: Project) -> _Intake:
    """Return what ingest would accept now; without any video, what it accepted last."""
    from mmx.trailers.borrow import borrow_videos, videos_are_missing
    from mmx.trailers.intake import ingest_project

    layout = project.layout
    borrow_videos(project)
    if not videos_are_missing(layout.manifest, layout.videos) or not layout.sources.exists():
        found = ingest_project(project)
        return _Intake(found.trailers, Upstream(project, found.sources, verify=True))
    rows = read_parquet(layout.trailers)
    return _Intake(rows, Upstream(project, verify=True), (NO_VIDEOS,))


NO_VIDEOS = (
    "data/videos has none of the videos that data/trailers.csv names; the counts are of the last "
    "run: `mmx init` links them, and `dvc repro --downstream train` trains without them"
)


STATES = ("done", "failed", "pending", "blocked")


def _state_of(
    made: Receipt | None,
    inputs: dict[str, str] | None,
    ingredients: Callable[[dict[str, str]], Ingredients] | None,
) -> str:
    """Return which of STATES one item is in, given its receipt and its present inputs."""
    if inputs is None:
        return "blocked"
    if made is None or ingredients is None or made.fingerprint != ingredients(inputs).fingerprint:
        return "pending"
    return "failed" if made.fault else "done"


def known_ingredients(
    step: TrailerStep, project: Project
) -> Callable[[dict[str, str]], Ingredients] | None:
    """Return `ingredients_of`; None while weights are missing, so that no item can be made yet."""
    try:
        return ingredients_of(step, project)
    except MissingWeights:
        return None


def _missing_weights(project: Project) -> Iterator[str]:
    steps = trailer_steps(project.params)
    missing = [step.name for step in steps if not known_ingredients(step, project)]
    if missing:
        yield f"weights of {', '.join(missing)} are missing: `mmx weights fetch` brings them"


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
