"""Make the items of one step: look each up, compute the misses, separate faults from failures."""

import importlib
import socket
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from mmx.engine.errors import StepFailedError, UserError, machine_fault
from mmx.engine.files import InputChangedError, InputFile, unchanged
from mmx.engine.pools.local import Lost, map_items
from mmx.engine.progress import ItemProgress, Parts
from mmx.engine.receipt import Fault, Ingredients, Receipt
from mmx.engine.store import Store


@dataclass(frozen=True)
class Task:
    """One item to be made."""

    item: str
    ingredients: Ingredients
    arguments: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of the recipe's function, beside `out`."""
    reads: tuple[InputFile, ...] = ()
    """Files that the function reads; each is checked before and after the call."""


@dataclass(frozen=True)
class Recipe:
    """How the items of a step are computed; sent to every worker."""

    function: str
    """`module:name`. Called with `out`, an empty folder, and a task's arguments; returns facts."""
    faults: tuple[str, ...] = ()
    """`module:name` of the exceptions that are faults of the input, and so are results."""
    job: str = ""
    """`module:name` of a class of such arguments. If given, the function takes an iterable of them
    instead, and yields facts or an exception for each, in order: items can share batches."""
    parts: str = ""
    """Name of the parts of long items, e.g. `pairs`; the function calls `count_part` for each."""
    scratch: bool = False
    """The function also takes `scratch`, a folder that survives an interruption."""
    before: str = ""
    """`module:name` of a function called once, before the workers start: they inherit its
    changes of the environment."""


@dataclass(frozen=True)
class Done:
    """The result of a task: a receipt, or a failure of the machine or of the program."""

    receipt: Receipt | None
    seconds: float
    failure: str = ""


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


@dataclass(frozen=True)
class Workers:
    """Which processes compute the items. Nothing here changes a result."""

    count: int = 1
    gpus: int = 0
    chunk: int = 1
    """Items per call of a recipe's function."""
    setup: Callable[[int], None] | None = None
    """Called by a new worker with its number, or with that of its GPU."""
    device: str = "cpu"
    """Where the arithmetic is done; recorded in the journal alone."""
    in_process: bool = False
    """Compute in this process: for a step of one item."""


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
    workers: Workers = Workers(),
    prepare: Callable[[Task], Task] = lambda task: task,
    before: Callable[[Sequence[Task]], None] = lambda misses: None,
    unit: str = "trailers",
) -> Outcome:
    """Make every task's item, or take it from the store, and return all receipts.

    cached: what is left of the step's last output, for what the store does not have. prepare: adds
    the arguments to a task, where they take too long to collect for items that need not be
    computed. before: called with the tasks that are to be computed; an exception from it ends the
    step before anything is computed. The caller holds the store's lock. Failures are in the
    outcome; nothing finished is lost.
    """
    outcome = Outcome()
    if not tasks:
        return outcome
    with ItemProgress(tasks[0].ingredients.step, len(tasks), unit) as progress:
        misses = _look_up_all(tasks, store, cached, outcome)
        progress.count(reused=len(outcome.reused))
        before(misses)
        progress.parts = Parts(recipe.parts) if recipe.parts and misses else None
        same = _group_by_fingerprint(misses)
        firsts = prepared([group[0] for group in same.values()], prepare, outcome)
        for task, done in compute(recipe, firsts, store, counting(workers, progress.parts)):
            for each in same[task.ingredients.fingerprint]:
                _record_result(each, done, outcome)
                if done.receipt:
                    store.note(task.ingredients.step, _journal_entry(each, done, workers.device))
                fine = done.receipt is not None and done.receipt.fault is None
                progress.count(computed=fine, failed=not fine)
    return outcome


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


def prepared(
    tasks: Sequence[Task], prepare: Callable[[Task], Task], outcome: Outcome
) -> list[Task]:
    """Return the tasks with their arguments; those whose inputs have changed are failures."""
    ready = []
    for task in tasks:
        try:
            ready.append(prepare(task))
        except InputChangedError as error:
            outcome.failures[task.item] = str(error)
    return ready


def counting(workers: Workers, parts: Parts | None) -> Workers:
    """Let workers count the parts of their items."""
    return replace(workers, setup=parts.setup(workers.setup)) if parts else workers


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


def _journal_entry(task: Task, done: Done, device: str) -> dict[str, Any]:
    """Return the journal's line on an item: what must not be in a receipt."""
    assert done.receipt
    return {
        "fingerprint": done.receipt.fingerprint,
        "item": task.item,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(done.seconds, 3),
        "host": socket.gethostname(),
        "device": device,
        "fault": done.receipt.fault is not None,
    }


def compute(
    recipe: Recipe, tasks: Sequence[Task], store: Store, workers: Workers
) -> Iterator[tuple[Task, Done]]:
    """Yield the result of each task as it completes."""
    if recipe.before and tasks:
        load(recipe.before)()
    if workers.in_process:
        yield from ((task, make([task], recipe, store)[0]) for task in tasks)
        return
    fn = partial(make, recipe=recipe, store=store)
    pooled = map_items(
        fn,
        tasks,
        workers=workers.count,
        gpus=workers.gpus,
        setup=workers.setup,
        chunk=workers.chunk,
    )
    for jobs, results in pooled:
        if isinstance(results, Lost):
            yield results.job, Done(None, 0.0, "its worker was killed twice while working on it")
        else:
            yield from zip(jobs, results, strict=True)


def make(tasks: Sequence[Task], recipe: Recipe, store: Store) -> list[Done]:
    """Compute tasks in this process and commit each as soon as it is finished."""
    guards = {task.item: ExitStack() for task in tasks}
    results: dict[str, Done] = {}
    for task in tasks:
        enter = partial(guards[task.item].enter_context, unchanged(task.reads))
        if refused := _failed_check(enter):
            results[task.item] = refused
    sound = [task for task in tasks if task.item not in results]
    with ExitStack() as folders:
        calls = [arguments(task, recipe, store, folders) for task in sound]
        started = time.monotonic()
        for task, call, made in zip(sound, calls, run(recipe, calls), strict=True):
            seconds = time.monotonic() - started
            changed = _failed_check(guards[task.item].close)
            results[task.item] = changed or _commit_result(task, call["out"], made, store, seconds)
            started = time.monotonic()
    return [results[task.item] for task in tasks]


def _failed_check(check: Callable[[], object]) -> Done | None:
    """Check the files that a task reads; return a failure if one has changed."""
    try:
        check()
    except (InputChangedError, OSError) as error:
        return Done(None, 0.0, machine_fault(error) or str(error))
    return None


def arguments(task: Task, recipe: Recipe, store: Store, folders: ExitStack) -> dict[str, Any]:
    """Return the keyword arguments of one call, its working folder among them."""
    extra = {"scratch": store.scratch(task.ingredients.fingerprint)} if recipe.scratch else {}
    return {**task.arguments, **extra, "out": folders.enter_context(store.workspace())}


def run(
    recipe: Recipe, calls: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any] | Fault | Exception]:
    """Yield the facts of each call, the input's fault, or any other exception."""
    results = stream(recipe, calls) if recipe.job else one_by_one(recipe, calls)
    kinds = tuple(load(name) for name in recipe.faults)
    for result in results:
        if kinds and isinstance(result, kinds):
            yield Fault(type(result).__name__, str(result), getattr(result, "code", ""))
        else:
            yield result


def one_by_one(
    recipe: Recipe, calls: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any] | Exception]:
    """Yield the function's facts, or what it raised, call by call."""
    for call in calls:
        try:
            yield load(recipe.function)(**call)
        except Exception as error:
            yield error


def stream(
    recipe: Recipe, calls: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any] | Exception]:
    """Yield what a streaming function yields; an exception is the result of all open calls."""
    given = 0
    try:
        job = load(recipe.job)
        for result in load(recipe.function)(job(**call) for call in calls):
            given += 1
            yield result
    except Exception as error:
        for _ in calls[given:]:
            yield error


def _commit_result(
    task: Task, out: Path, made: dict[str, Any] | Fault | Exception, store: Store, seconds: float
) -> Done:
    """Turn the result of a call into a committed receipt or a failure."""
    if isinstance(made, Exception):
        return Done(None, seconds, failure(made))
    try:
        if isinstance(made, Fault):
            receipt = Receipt(task.ingredients, fault=made)
        else:
            receipt = Receipt(task.ingredients, store.put_folder(out), made)
        store.commit(receipt)
    except OSError as error:
        reason = machine_fault(error) or error.strerror
        return Done(None, seconds, f"the result could not be stored: {reason}")
    store.drop_scratch(task.ingredients.fingerprint)
    return Done(receipt, seconds)


def failure(error: Exception) -> str:
    """Return why an item could not be computed: a sentence, or a traceback for a bug."""
    if isinstance(error, UserError):
        return str(error)
    trace = "".join(traceback.format_exception(error)[-3:])
    return machine_fault(error) or f"{type(error).__name__}: {error}\n{trace}"


def load(name: str) -> Any:
    """Return what `module:name` names."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


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
