"""Make the items of one step: look each up, compute the misses, tell faults from failures."""

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

from mmx.engine.machine import machine_fault
from mmx.engine.pools.local import Lost, map_items
from mmx.engine.progress import ItemProgress, Parts
from mmx.engine.receipt import Fault, Ingredients, Receipt
from mmx.engine.store import Store


class StepFailedError(Exception):
    """A step could not be completed; what it finished is in the store."""


class LastOutput(Protocol):
    """What is still there of a step's last output, wherever it is kept."""

    def unchanged(self, wanted: Mapping[str, str], store: Store) -> dict[str, Receipt]:
        """Return the receipts of the items that can stay as they are, files and all.

        wanted: fingerprint by item.
        """
        ...

    def recall(self, fingerprint: str, store: Store) -> Receipt | None:
        """Put an item into the store, and return its receipt; None where it is not there whole."""
        ...


@dataclass(frozen=True)
class Task:
    """One item to be made."""

    item: str
    ingredients: Ingredients
    arguments: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of the recipe's function, beside `out`."""


@dataclass(frozen=True)
class Recipe:
    """How the items of a step are computed; sent to every worker."""

    function: str
    """`module:name`. Called with `out`, an empty folder, and a task's arguments; returns facts."""
    faults: tuple[str, ...] = ()
    """`module:name` of the exceptions that are faults of the input and thereby results."""
    job: str = ""
    """`module:name` of a class of such arguments. If given, the function takes an iterable of them
    instead, and yields facts or an exception for each, in order: work flows across items."""
    parts: str = ""
    """What long items are made of, e.g. `pairs`; the function calls `count_part` for each."""
    scratch: bool = False
    """The function also takes `scratch`, a folder that survives an interruption."""


@dataclass(frozen=True)
class Done:
    """What became of a task: a receipt, or a failure of the machine or of the program."""

    receipt: Receipt | None
    seconds: float
    failure: str = ""


@dataclass
class Outcome:
    """What became of a step."""

    receipts: dict[str, Receipt] = field(default_factory=dict)
    kept: dict[str, Receipt] = field(default_factory=dict)
    """Those of them that the last output still has, whole shards of it; also among the reused."""
    reused: list[str] = field(default_factory=list)
    computed: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def faults(self) -> dict[str, Fault]:
        """Recorded faults of inputs, by item."""
        return {item: receipt.fault for item, receipt in self.receipts.items() if receipt.fault}


@dataclass(frozen=True)
class Spread:
    """How the work is spread. Nothing here changes a result."""

    workers: int = 1
    gpus: int = 0
    chunk: int = 1
    setup: Callable[[int], None] | None = None
    device: str = "cpu"
    """Where the arithmetic is done; only the journal tells."""
    here: bool = False
    """Compute in this process: for a step of one item."""


def complete(
    recipe: Recipe,
    tasks: Sequence[Task],
    store: Store,
    *,
    cached: LastOutput | None = None,
    spread: Spread = Spread(),
    prepare: Callable[[Task], Task] = lambda task: task,
    unit: str = "trailers",
) -> Outcome:
    """Make every task's item, from the store where it is, and return all receipts.

    cached: what is left of the step's last output, for what the store does not have.
    prepare: gives a task its arguments, where they are not worth gathering for an item that is
    there already. The caller holds the store's lock. Failures are in the outcome; nothing finished
    is lost.
    """
    outcome = Outcome()
    if not tasks:
        return outcome
    with ItemProgress(tasks[0].ingredients.step, len(tasks), unit) as progress:
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
        progress.count(reused=len(outcome.reused))
        progress.parts = Parts(recipe.parts) if recipe.parts and misses else None
        spread = counted(spread, progress.parts)
        twins = alike(misses)
        firsts = [prepare(tasks[0]) for tasks in twins.values()]
        for task, done in compute(recipe, firsts, store, spread):
            for twin in twins[task.ingredients.fingerprint]:
                settle(twin, done, outcome)
                if done.receipt:
                    store.note(task.ingredients.step, journal_entry(twin, done, spread.device))
                fine = done.receipt is not None and done.receipt.fault is None
                progress.count(computed=fine, failed=not fine)
    return outcome


def counted(spread: Spread, parts: Parts | None) -> Spread:
    """Let workers count the parts of their items."""
    return replace(spread, setup=parts.setup(spread.setup)) if parts else spread


def look_up(ingredients: Ingredients, store: Store, cached: LastOutput | None) -> Receipt | None:
    """Return the receipt of an item that the store has, or that is put back into it.

    None, too, for a fault that is marked to be tried again.
    """
    if store.retry_mark(ingredients.fingerprint).exists():
        return None
    found = store.find(ingredients.step, ingredients.fingerprint)
    if found is None and cached is not None:
        found = cached.recall(ingredients.fingerprint, store)
    return found


def alike(tasks: Sequence[Task]) -> dict[str, list[Task]]:
    """Return tasks by fingerprint: two trailers with the same bytes cost one computation."""
    found: dict[str, list[Task]] = {}
    for task in tasks:
        found.setdefault(task.ingredients.fingerprint, []).append(task)
    return found


def settle(task: Task, done: Done, outcome: Outcome) -> None:
    """Enter what became of a task in the outcome."""
    if done.receipt is None:
        outcome.failures[task.item] = done.failure
        return
    outcome.receipts[task.item] = done.receipt
    outcome.computed.append(task.item)


def journal_entry(task: Task, done: Done, device: str) -> dict[str, Any]:
    """Return the journal's line on an item that was made: what no receipt may hold."""
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
    recipe: Recipe, tasks: Sequence[Task], store: Store, spread: Spread
) -> Iterator[tuple[Task, Done]]:
    """Yield what became of each task, as it does."""
    if spread.here:
        yield from ((task, make([task], recipe, store)[0]) for task in tasks)
        return
    fn = partial(make, recipe=recipe, store=store)
    pooled = map_items(
        fn,
        tasks,
        workers=spread.workers,
        gpus=spread.gpus,
        setup=spread.setup,
        chunk=spread.chunk,
    )
    for jobs, results in pooled:
        if isinstance(results, Lost):
            yield results.job, Done(None, 0.0, "its worker was killed twice while working on it")
        else:
            yield from zip(jobs, results, strict=True)


def make(tasks: Sequence[Task], recipe: Recipe, store: Store) -> list[Done]:
    """Compute tasks in this process and commit each as soon as it is finished."""
    results: list[Done] = []
    with ExitStack() as folders:
        calls = [arguments(task, recipe, store, folders) for task in tasks]
        started = time.monotonic()
        for task, call, made in zip(tasks, calls, run(recipe, calls), strict=True):
            done = conclude(task, call["out"], made, store, time.monotonic() - started)
            results.append(done)
            started = time.monotonic()
    return results


def arguments(task: Task, recipe: Recipe, store: Store, folders: ExitStack) -> dict[str, Any]:
    """Return the keyword arguments of one call, its working folder among them."""
    extra = {"scratch": store.scratch(task.ingredients.fingerprint)} if recipe.scratch else {}
    return {**task.arguments, **extra, "out": folders.enter_context(store.workspace())}


def run(
    recipe: Recipe, calls: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any] | Fault | Exception]:
    """Yield the facts of each call, the input's fault, or the exception that means neither."""
    results = stream(recipe, calls) if recipe.job else one_by_one(recipe, calls)
    kinds = tuple(load(name) for name in recipe.faults)
    for result in results:
        if kinds and isinstance(result, kinds):
            yield Fault(type(result).__name__, str(result))
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
    """Yield what a streaming function yields; what it raises concerns all calls still open."""
    given = 0
    try:
        job = load(recipe.job)
        for result in load(recipe.function)(job(**call) for call in calls):
            given += 1
            yield result
    except Exception as error:
        for _ in calls[given:]:
            yield error


def conclude(
    task: Task, out: Path, made: dict[str, Any] | Fault | Exception, store: Store, seconds: float
) -> Done:
    """Turn what a call gave into a committed receipt or a failure."""
    if isinstance(made, Exception) and machine_fault(made):
        return Done(None, seconds, machine_fault(made))
    if isinstance(made, Exception):
        trace = "".join(traceback.format_exception(made)[-3:])
        return Done(None, seconds, f"{type(made).__name__}: {made}\n{trace}")
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
            "\nAll others are kept; run `dvc repro` again once the cause is mended."
        )
    faults, total = outcome.faults, len(outcome.receipts)
    if len(faults) > max_failed * total:
        item, fault = next(iter(sorted(faults.items())))
        raise StepFailedError(
            f"{step}: {len(faults)} of {total} items are faulty, more than run.max_failed "
            f"({max_failed:.0%}) allows; {item}: {fault.reason} (`mmx status` lists all)"
        )
