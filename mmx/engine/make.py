"""Compute items in this process and commit each to a store."""

import importlib
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from mmx.engine.errors import UserError, machine_fault
from mmx.engine.files import InputChangedError, unchanged
from mmx.engine.receipt import Fault, Receipt
from mmx.engine.store import Store
from mmx.engine.task import Done, Recipe, Task


def make(tasks: Sequence[Task], recipe: Recipe, store: Store) -> list[Done]:
    """Compute tasks in this process and commit each as soon as it is finished."""
    guards = {task.item: ExitStack() for task in tasks}
    results: dict[str, Done] = {}
    for task in tasks:
        if task.refused:
            results[task.item] = Done(None, 0.0, task.refused)
            continue
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
        reason = machine_fault(error)
        return Done(None, 0.0, reason or str(error), machine=bool(reason))
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
        return Done(None, seconds, failure(made), machine=bool(machine_fault(made)))
    try:
        if isinstance(made, Fault):
            receipt = Receipt(task.ingredients, fault=made)
        else:
            receipt = Receipt(task.ingredients, store.put_folder(out), made)
        store.commit(receipt)
    except OSError as error:
        reason = machine_fault(error) or error.strerror
        return Done(None, seconds, f"the result could not be stored: {reason}", machine=True)
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
