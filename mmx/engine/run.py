"""Make the items of one step: look each up, compute the misses, separate faults from failures."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Protocol

from mmx.engine.errors import StepFailedError
from mmx.engine.files import InputChangedError
from mmx.engine.pools.local import Workers
from mmx.engine.pools.protocol import Pool
from mmx.engine.progress import ItemProgress
from mmx.engine.receipt import Fault, Ingredients, Receipt
from mmx.engine.store import Store
from mmx.engine.task import Done, Prepare, Recipe, Task, as_it_is

__all__ = ["Recipe", "Task", "Workers"]

ONE_PROCESS = Workers()
"""The pool of a run that names no other."""


@dataclass
class Outcome:
    """The result of a step."""

    receipts: dict[str, Receipt] = field(default_factory=dict)
    kept: dict[str, Receipt] = field(default_factory=dict)
    """Receipts of whole shards that the last output still has; their items are also in `reused`."""
    reused: list[str] = field(default_factory=list)
    computed: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def faults(self) -> dict[str, Fault]:
        """Recorded faults of inputs, by item."""
        return {item: receipt.fault for item, receipt in self.receipts.items() if receipt.fault}


class CachedOutput(Protocol):
    """What is left of a step's last output, wherever it is kept."""

    def unchanged(self, wanted: Mapping[str, str], store: Store) -> dict[str, Receipt]:
        """Return the receipts of items whose files can stay as they are.

        wanted: the fingerprint of every item of the step, by item.
        """

    def recall(self, fingerprint: str, store: Store) -> Receipt | None:
        """Put an item into the store; None where it is not complete there."""


def complete(
    recipe: Recipe,
    tasks: Sequence[Task],
    store: Store,
    *,
    cached: CachedOutput | None = None,
    workers: Pool = ONE_PROCESS,
    prepare: Prepare = as_it_is,
    before: Callable[[Sequence[Task]], None] = lambda misses: None,
    unit: str = "trailers",
) -> Outcome:
    """Make every task's item, or take it from the store, and return all receipts.

    cached: what is left of the step's last output, for what the store does not have. workers: the
    pool that computes; untouched if nothing is to be computed. prepare: adds the arguments to a
    task that is about to run, so that those of all items are never in memory at once; an
    InputChangedError from it is the item's failure. before: called with the tasks that are to be
    computed; an exception from it ends the step before anything is computed. The caller holds the
    store's lock. Failures are in the outcome; nothing finished is lost.
    """
    outcome = Outcome()
    if not tasks:
        return outcome
    step = tasks[0].ingredients.step
    with ItemProgress(step, len(tasks), unit) as progress, _noted(step, store) as note:
        misses = _look_up_all(tasks, store, cached, outcome)
        progress.count(reused=len(outcome.reused))
        before(misses)
        note("start", total=len(tasks), reused=len(outcome.reused))
        same = _group_by_fingerprint(misses)
        firsts = [group[0] for group in same.values()]
        ready = partial(_prepared, prepare)
        computed = workers.compute(recipe, firsts, store, progress, ready) if firsts else ()
        for task, done in computed:
            for each in same[task.ingredients.fingerprint]:
                _record_result(each, done, outcome)
                if done.receipt:
                    store.note(each.ingredients.step, _journal_entry(each, done))
                else:
                    note("failure", item=each.item, reason=done.failure)
                fine = done.receipt is not None and done.receipt.fault is None
                progress.count(computed=fine, failed=not fine)
    return outcome


@contextmanager
def _noted(step: str, store: Store) -> Iterator[Callable[..., None]]:
    """Yield what notes an event of a run; note that it ended, or was stopped."""

    def note(event: str, **about: Any) -> None:
        store.note_run({"step": step, "event": event, "at": _now(), **about})

    try:
        yield note
    except BaseException:
        # A full disk is told by the exception itself.
        with suppress(OSError):
            note("end", stopped=True)
        raise
    note("end", stopped=False)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _look_up_all(
    tasks: Sequence[Task], store: Store, cached: CachedOutput | None, outcome: Outcome
) -> list[Task]:
    """Add the items that exist to the outcome; return the tasks that are to be computed."""
    if cached is not None:
        wanted = {task.item: task.ingredients.fingerprint for task in tasks}
        outcome.kept = cached.unchanged(wanted, store)
    misses = []
    for task in tasks:
        receipt = outcome.kept.get(task.item) or look_up(task.ingredients, store, cached)
        if receipt is None:
            misses.append(task)
            continue
        outcome.receipts[task.item] = receipt
        outcome.reused.append(task.item)
    return misses


def _prepared(prepare: Prepare, task: Task) -> Task:
    """Return a task with its arguments, or with the reason why one of its inputs cannot be used."""
    try:
        return prepare(task)
    except InputChangedError as error:
        return replace(task, refused=str(error))


def look_up(ingredients: Ingredients, store: Store, cached: CachedOutput | None) -> Receipt | None:
    """Return the receipt of an item in the store, or restored to it from the cached output.

    None, too, for a fault that is marked to be tried again.
    """
    if store.retry_mark(ingredients.fingerprint).exists():
        return None
    found = store.find(ingredients.step, ingredients.fingerprint)
    if found is None and cached is not None:
        found = cached.recall(ingredients.fingerprint, store)
    return found


def _group_by_fingerprint(tasks: Sequence[Task]) -> dict[str, list[Task]]:
    """Return tasks by fingerprint: two trailers with the same bytes cost one computation."""
    found: dict[str, list[Task]] = {}
    for task in tasks:
        found.setdefault(task.ingredients.fingerprint, []).append(task)
    return found


def _record_result(task: Task, done: Done, outcome: Outcome) -> None:
    """Add the result of a task to the outcome."""
    if done.receipt is None:
        outcome.failures[task.item] = done.failure
        return
    outcome.receipts[task.item] = done.receipt
    outcome.computed.append(task.item)


def _journal_entry(task: Task, done: Done) -> dict[str, Any]:
    """Return the journal's line on an item: what must not be in a receipt."""
    assert done.receipt and done.made_by
    return {
        "fingerprint": done.receipt.fingerprint,
        "item": task.item,
        "finished": _now(),
        "seconds": round(done.seconds, 3),
        **asdict(done.made_by),
        "fault": done.receipt.fault is not None,
    }


def check(outcome: Outcome, step: str, max_failed: float) -> None:
    """Raise StepFailedError for failures, or for more faults than the share `max_failed`."""
    if outcome.failures:
        item, reason = next(iter(sorted(outcome.failures.items())))
        raise StepFailedError(
            f"{step}: {len(outcome.failures)} items could not be computed, {item} first: {reason}"
            "\nAll others are kept; run `dvc repro` again once the cause is removed."
        )
    faults, total = outcome.faults, len(outcome.receipts)
    if len(faults) > max_failed * total:
        item, fault = next(iter(sorted(faults.items())))
        raise StepFailedError(
            f"{step}: {len(faults)} of {total} items are faulty, more than run.max_failed "
            f"({max_failed:.0%}) allows; {item}: {fault.reason} (`mmx status` lists all)"
        )
