"""Keeping the item store: forget faults, carry receipts over a refactoring, free space."""

import random
import shutil
from collections.abc import Set
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from mmx.engine.atomic import write_atomic
from mmx.engine.receipt import Receipt
from mmx.engine.run import Spread, Task, complete, look_up
from mmx.engine.store import Store
from mmx.learning import learning_inputs
from mmx.outputs import read_receipts
from mmx.overview import present
from mmx.pipeline import Upstream, cached_output, ingredients_of, preparation, trailer_tasks
from mmx.project import Project
from mmx.steps import EVALUATE, FINETUNE, TRAIN, Step, find_step, trailer_steps
from mmx.training.faults import CollectionError


class AdoptError(Exception):
    """The present code does not give the results that the receipts record."""


@dataclass(frozen=True)
class Adopted:
    """What `mmx adopt` did."""

    step: str
    sampled: int
    """Items computed again, all bit-equal."""
    carried: int
    """Receipts carried over on that evidence."""


@dataclass(frozen=True)
class Pruned:
    """What `mmx prune` removed, or would."""

    receipts: int
    objects: int
    bytes: int
    """Freed once DVC links none of them either."""


def retry(project: Project, name: str | None = None) -> int:
    """Mark recorded faults of a step, or of all, so that the next run tries them again.

    Return how many. Raise UnknownStepError for a name that is no step's. Removing the output
    directory makes DVC run the stage.
    """
    steps = [find_step(name, project.params)] if name else trailer_steps(project.params)
    marked = 0
    with project.store.locked("retry"):
        for step in steps:
            out = step.output.path(project.layout.root)
            faulty = [made for made in read_receipts(out).values() if made.fault]
            for receipt in faulty:
                write_atomic(project.store.retry_mark(receipt.fingerprint), b"")
            if faulty:
                shutil.rmtree(out)
            marked += len(faulty)
    return marked


def adopt(project: Project, name: str, *, sample: int, seed: int = 0) -> Adopted:
    """Carry a step's receipts over to the present code, if a sample computes to the same bits.

    Only what differs in code is carried over; other parameters, inputs, weights or tools are other
    results. Raise AdoptError where a sampled item comes out differently or there is nothing to do.
    """
    step = find_step(name, project.params)
    with project.store.locked(f"adopt {name}"):
        made = read_receipts(step.output.path(project.layout.root))
        upstream = Upstream(project)
        pairs = [
            (task, made[task.item])
            for task in trailer_tasks(step, upstream)
            if task.item in made and differs_in_code(task, made[task.item])
        ]
        if not pairs:
            raise AdoptError(f"{name}: no receipt differs from the present step in code alone")
        drawn = random.Random(seed).sample(pairs, min(sample, len(pairs)))
        prepare = preparation(step, upstream)
        confirm(step, [prepare(task) for task, _ in drawn], made, project)
        cached = cached_output(step, project)
        whole = [pair for pair in pairs if look_up(pair[1].ingredients, project.store, cached)]
        for task, old in whole:
            project.store.commit(carried(task, old))
    return Adopted(name, len(drawn), len(whole) - len(drawn))


def differs_in_code(task: Task, old: Receipt) -> bool:
    """Say whether the code is all that separates a task from an earlier receipt."""
    same_code = replace(task.ingredients, code=old.ingredients.code)
    return task.ingredients != old.ingredients and same_code == old.ingredients


def confirm(step: Step, tasks: list[Task], made: dict[str, Receipt], project: Project) -> None:
    """Compute tasks anew and raise AdoptError at the first that is not bit-equal."""
    outcome = complete(step.recipe, tasks, project.store, spread=Spread(workers=project.workers))
    for task in tasks:
        new = outcome.receipts.get(task.item)
        if new is None or (new.outputs, new.fault) != (
            made[task.item].outputs,
            made[task.item].fault,
        ):
            raise AdoptError(
                f"{step.name}: {task.item} computes to other bytes than its receipt records; "
                "nothing was carried over: `dvc repro` computes the step again"
            )


def carried(task: Task, old: Receipt) -> Receipt:
    """Return the old result under the present ingredients, saying where it comes from."""
    return Receipt(task.ingredients, old.outputs, old.facts, old.fault, old.fingerprint)


def prune(project: Project, *, dry_run: bool = False) -> Pruned:
    """Remove from the store what no output needs and no run would reuse.

    What an interrupted run finished stays: the next one goes on from there. Waits for nobody:
    raises StoreBusyError while a run is in progress. What DVC's cache still links keeps its space
    until `dvc gc` lets go of it too.
    """
    store = project.store
    with store.locked("prune"):
        laid_out = needed(project)
        wanted = {receipt.fingerprint for receipt in laid_out} | sought(project)
        made = list(store.receipts())
        stale = [receipt for receipt in made if receipt.fingerprint not in wanted]
        kept = [*laid_out, *(receipt for receipt in made if receipt.fingerprint in wanted)]
        used = {output.sha256 for receipt in kept for output in receipt.outputs}
        objects = [path for path in (store.root / "objects").glob("*/*") if path.name not in used]
        size = sum(path.stat().st_size for path in objects)
        if not dry_run:
            remove(store, stale, objects)
            drop_abandoned(store, wanted)
    return Pruned(len(stale), len(objects), size)


def needed(project: Project) -> list[Receipt]:
    """Return the receipts of every output directory in the workspace."""
    layout = project.layout
    steps = [*trailer_steps(project.params), TRAIN, FINETUNE, EVALUATE]
    folders = [step.output.path(layout.root) for step in steps]
    folders += sorted(layout.ablations.glob("*"))
    return [receipt for folder in folders for receipt in read_receipts(folder).values()]


def sought(project: Project) -> set[str]:
    """Return the fingerprints that the next run will look for, as far as inputs are there by now.

    DVC deletes an output before its stage runs, so an interrupted run has its finished items in the
    store alone.
    """
    upstream = Upstream(project) if project.layout.sources.exists() else present(project)
    steps = trailer_steps(project.params)
    tasks = [task.ingredients for step in steps for task in trailer_tasks(step, upstream)]
    for step in (TRAIN, FINETUNE, EVALUATE):
        # A step whose features or models are still to be made is not under way.
        with suppress(CollectionError, FileNotFoundError, KeyError):
            tasks.append(ingredients_of(step, project)(learning_inputs(step, project)))
    return {ingredients.fingerprint for ingredients in tasks}


def remove(store: Store, stale: list[Receipt], objects: list[Path]) -> None:
    """Remove receipts first: an object without a receipt is waste, the reverse is a lie."""
    for receipt in stale:
        store.forget(receipt)
    for path in objects:
        path.unlink(missing_ok=True)


def drop_abandoned(store: Store, wanted: Set[str]) -> None:
    """Remove what trainings left that were interrupted and will not go on."""
    for folder in (store.root / "scratch").glob("*"):
        if folder.name not in wanted:
            store.drop_scratch(folder.name)
