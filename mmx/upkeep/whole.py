"""Whether the steps that read all trailers at once are up to date, for `mmx status`."""

from collections.abc import Mapping

from mmx.outputs import ALL, read_receipts
from mmx.pipeline.ingredients import ingredients_of
from mmx.pipeline.registry import all_steps, find_step
from mmx.pipeline.step import CollectionStep, ItemStep, PlainStep, Step, TrailerStep
from mmx.pipeline.upstream import Upstream
from mmx.training.errors import CollectionError


def whole_states(upstream: Upstream, *, settled: bool) -> dict[str, str]:
    """Return which steps that run as a whole are `done`, `pending` or `blocked`; not of ingest.

    In the order of dependencies. settled: no item of a trailer is pending; otherwise what is done
    is pending, too. Nothing is computed.
    """
    states: dict[str, str] = {}
    for step in _whole_steps(upstream):
        state = _state(step, upstream)
        waits = not settled or _waits(step, states)
        states[step.name] = "pending" if state == "done" and waits else state
    return states


def _whole_steps(upstream: Upstream) -> list[Step]:
    """Return the steps; of ablations, which `dvc repro` does not run, those that were run."""
    project = upstream.project
    steps = all_steps(project.params)
    plain = [step for step in steps if isinstance(step, PlainStep) and step.current]
    whole = [step for step in steps if isinstance(step, CollectionStep)]
    folders = {step.name: step.output.path(project.layout.root) for step in whole}
    off = {name for name, out in folders.items() if out.parent == project.layout.ablations}
    return [*plain, *(s for s in whole if s.name not in off or folders[s.name].exists())]


def _waits(step: Step, states: Mapping[str, str]) -> bool:
    """Say whether a step that it needs is to be run."""
    return isinstance(step, ItemStep) and any(states.get(name) == "pending" for name in step.needs)


def _state(step: Step, upstream: Upstream) -> str:
    """Return the state of one step by the present outputs of those before it."""
    try:
        current = _is_current(step, upstream)
    except (FileNotFoundError, CollectionError):
        return "blocked"
    return "done" if current else "pending"


def _is_current(step: Step, upstream: Upstream) -> bool:
    """Say whether a step's output is of its present inputs; FileNotFoundError if one is missing."""
    if isinstance(step, PlainStep):
        return step.current is not None and step.current(upstream)
    assert isinstance(step, CollectionStep)
    project = upstream.project
    for need in step.needs:
        _require_made(find_step(need, project.params), upstream)
    made = read_receipts(step.output.path(project.layout.root)).get(ALL)
    wanted = ingredients_of(step, project)(step.inputs(project)).fingerprint
    return made is not None and made.fingerprint == wanted


def _require_made(step: Step, upstream: Upstream) -> None:
    """Raise FileNotFoundError for a step that has left nothing to read."""
    if isinstance(step, ItemStep) and not isinstance(step, TrailerStep):
        out = step.output.path(upstream.project.layout.root)
        if ALL not in read_receipts(out):
            raise FileNotFoundError(out)
