"""`mmx adopt`: keep results of other code if a sample is bit-equal; `mmx renew`: recompute them.

Results are adopted across other code, moved modules, other versions of tools, another interpreter,
parameters added since that have their birth values, and receipts of earlier versions of mmx, but
not across other parameters, inputs or weights.
"""

import random
from dataclasses import dataclass

from mmx.engine.receipt import Adoption, Receipt
from mmx.engine.run import Task, complete, look_up
from mmx.errors import UserError
from mmx.outputs import read_receipts
from mmx.pipeline.changes import present_commit
from mmx.pipeline.gate import renewal
from mmx.pipeline.ingredients import differs_in_code_alone
from mmx.pipeline.registry import find_item_step, find_trailer_step, trailer_steps
from mmx.pipeline.run import cached_output, preparation, trailer_tasks, workers_of
from mmx.pipeline.step import TrailerStep
from mmx.pipeline.upstream import Upstream
from mmx.project import Project


class AdoptError(UserError):
    """The present code gives other results than the receipts record, or nothing can be adopted."""


@dataclass(frozen=True)
class Adopted:
    """What `mmx adopt` did."""

    step: str
    sampled: int
    """Items computed again, all bit-equal."""
    carried: int
    """Receipts carried over because the sample was equal."""


@dataclass(frozen=True)
class Candidate:
    """An item and its earlier receipt, which differs in code or tools only."""

    task: Task
    old: Receipt


def adopt(project: Project, name: str, *, sample: int, seed: int = 0) -> Adopted:
    """Carry a step's results over to the present code, if a sample is recomputed bit for bit.

    Raise AdoptError where a sampled item comes out differently or there is nothing to do.
    """
    adopted = _adopt_step(project, find_trailer_step(name, project.params), sample, seed)
    if adopted is None:
        raise AdoptError(
            f"{name}: nothing to adopt: no result is stale because of code or tools alone"
        )
    return adopted


def adopt_all(project: Project, *, sample: int, seed: int = 0) -> list[Adopted]:
    """Adopt the results of every step in order; steps with nothing to adopt are left out.

    Raise AdoptError at the first step whose sample differs.
    """
    steps = trailer_steps(project.params)
    return list(filter(None, (_adopt_step(project, step, sample, seed) for step in steps)))


def _adopt_step(project: Project, step: TrailerStep, sample: int, seed: int) -> Adopted | None:
    """Carry a step's results over as `adopt` does; None where there is nothing to do."""
    with project.store.locked(f"adopt {step.name}"):
        upstream = Upstream(project)
        found = candidates(step, upstream)
        if not found:
            return None
        drawn = random.Random(seed).sample(found, min(sample, len(found)))
        _confirm(step, upstream, drawn)
        names = tuple(sorted(each.task.item for each in drawn))
        commit = present_commit(project.layout.root)
        rest = [each for each in found if each not in drawn]
        for each in rest:
            evidence = Adoption(original(each.old), names, len(found), commit)
            project.store.commit(carried(each, evidence))
    return Adopted(step.name, len(drawn), len(rest))


def candidates(step: TrailerStep, upstream: Upstream) -> list[Candidate]:
    """Return the items that can be adopted, after putting their earlier results into the store.

    Results are taken from the output directory or, if DVC has deleted it, from DVC's cache.
    """
    project = upstream.project
    cached = cached_output(step, project)
    made = {**cached.by_item, **read_receipts(step.output.path(project.layout.root))}
    return [
        Candidate(task, made[task.item])
        for task in trailer_tasks(step, upstream)
        if task.item in made
        and project.store.find(step.name, task.ingredients.fingerprint) is None
        and differs_in_code_alone(step, task.ingredients, made[task.item], upstream, task.item)
        and look_up(made[task.item].ingredients, project.store, cached)
    ]


def _confirm(step: TrailerStep, upstream: Upstream, drawn: list[Candidate]) -> None:
    """Recompute items and raise AdoptError at the first that is not bit-equal."""
    project = upstream.project
    outcome = complete(
        step.recipe,
        [each.task for each in drawn],
        project.store,
        workers=workers_of(step, project),
        prepare=preparation(step, upstream),
    )
    for each in drawn:
        new = outcome.receipts.get(each.task.item)
        if new is None:
            raise AdoptError(f"{step.name}: {outcome.failures[each.task.item]}")
        if not _same_result(new, each.old):
            raise AdoptError(
                f"{step.name}: {each.task.item} differs from its receipt when recomputed; "
                f"nothing was carried over: `mmx renew {step.name}`, then `dvc repro`, "
                "recomputes the step"
            )


def _same_result(new: Receipt, old: Receipt) -> bool:
    """Say whether two receipts record the same bytes, or a fault of the same kind."""
    if new.fault and old.fault:
        return new.fault.kind == old.fault.kind
    return (new.outputs, new.fault) == (old.outputs, old.fault)


def original(receipt: Receipt) -> str:
    """Return the fingerprint under which a result was computed."""
    return receipt.adopted.fingerprint if receipt.adopted else receipt.fingerprint


def carried(candidate: Candidate, evidence: Adoption) -> Receipt:
    """Return the old receipt with the present ingredients and the evidence of the sample."""
    old = candidate.old
    return Receipt(candidate.task.ingredients, old.outputs, old.facts, old.fault, evidence)


def renew(project: Project, name: str) -> None:
    """Allow the next run to recompute a step with the present code, whatever it costs."""
    step = find_item_step(name, project.params)
    with project.store.locked(f"renew {name}"):
        project.store.renew(name, renewal(step))
