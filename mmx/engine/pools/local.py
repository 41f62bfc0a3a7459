"""The local pool: processes of this machine, started again when one dies."""

import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Generic, TypeVar

from mmx.engine.make import load, make
from mmx.engine.pools.ending import (
    children_killed_on_error,
    end_with_parent,
    interrupts_held_back,
)
from mmx.engine.processor import processor_kind
from mmx.engine.progress import ItemProgress, Parts
from mmx.engine.receipt import Fault, Receipt
from mmx.engine.startup import spare_pandas
from mmx.engine.store import Store
from mmx.engine.task import Done, Maker, Prepare, Recipe, Task, as_it_is

Job = TypeVar("Job")
Result = TypeVar("Result")

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Set to one thread in each worker: the cores are used by processes."""

POLL = 1.0
"""Seconds after which a signal is handled at the latest."""

OVERRUN = signal.SIGXCPU
"""By this signal a worker ends itself whose item takes more than its share of the machine."""

LOST = Done(None, 0.0, "its worker was killed twice while working on it")
"""The result of a task that twice killed the process that was working on it."""


@dataclass(frozen=True)
class Lost(Generic[Job]):
    """A job whose worker died twice, the second time with no other job in the pool."""

    job: Job
    signal: int | None = field(default=None, compare=False)
    """What ended the worker; None if unknown."""


@dataclass(frozen=True)
class WorkerSetup:
    """What a new worker does before its first job."""

    call: Callable[[int], None] | None = None
    """Receives the worker's number, from 0; with GPUs, the GPU it is to use."""
    gpus: int = 0

    def __call__(self, counter: "multiprocessing.sharedctypes.Synchronized[int]") -> None:
        """Take a number and run `call` with it; from now on, end when the parent does."""
        end_with_parent()
        spare_pandas()
        with counter.get_lock():
            number = counter.value
            counter.value += 1
        if self.call:
            self.call(number % self.gpus if self.gpus else number)


def map_items(
    fn: Callable[[Sequence[Job]], list[Result]],
    items: Sequence[Job],
    *,
    workers: int,
    gpus: int = 0,
    setup: Callable[[int], None] | None = None,
    chunk: int = 1,
    prepare: Callable[[Job], Job] | None = None,
) -> Iterator[tuple[Sequence[Job], list[Result] | Lost[Job]]]:
    """Yield (jobs, results) as chunks of `items` complete, in the order of completion.

    `fn` gets a chunk and returns one result per job; an exception of `fn` reaches the caller. It
    gets what `prepare`, called here, makes of each job when the chunk is about to run. When
    a worker dies, the pool is rebuilt and the jobs that were running are run again, each
    alone; one whose worker dies again is yielded as `Lost`, and the others continue. Workers
    are killed at once by an exception, an interrupt among them, or when the iterator is closed.
    """
    waiting = [tuple(items[i : i + chunk]) for i in range(0, len(items), chunk)]
    waiting.reverse()
    call = _Call(fn, prepare)
    while waiting:
        interrupted: list[tuple[Job, ...]] = []
        yield from _run_pool(call, waiting, interrupted, workers, WorkerSetup(setup, gpus))
        for job in [job for jobs in interrupted for job in jobs]:
            yield _try_alone(call, job, WorkerSetup(setup, gpus))


@dataclass(frozen=True)
class _Call(Generic[Job, Result]):
    """What workers do with a chunk of jobs."""

    fn: Callable[[Sequence[Job]], list[Result]]
    prepare: Callable[[Job], Job] | None

    def submit(self, pool: ProcessPoolExecutor, jobs: Sequence[Job]) -> Future[list[Result]]:
        """Submit jobs; a worker that this starts ignores Ctrl-C."""
        ready = tuple(map(self.prepare, jobs)) if self.prepare else jobs
        with interrupts_held_back():
            return pool.submit(self.fn, ready)


def _run_pool(
    call: _Call[Job, Result],
    waiting: list[tuple[Job, ...]],
    interrupted: list[tuple[Job, ...]],
    workers: int,
    setup: WorkerSetup,
) -> Iterator[tuple[tuple[Job, ...], list[Result]]]:
    """Yield what one pool completes; when a worker dies, add the running jobs to `interrupted`.

    Chunks are taken from the end of `waiting`; those that were not submitted stay there. At most
    `workers` are submitted at a time, so that a death interrupts few.
    """
    running: dict[Future[list[Result]], tuple[Job, ...]] = {}
    with _new_pool(min(workers, len(waiting)), setup) as pool:
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    running[call.submit(pool, waiting[-1])] = waiting[-1]
                    waiting.pop()
                for future in _completed(running):
                    result = future.result()
                    yield running.pop(future), result
        except BrokenProcessPool:
            interrupted.extend(running.values())


def _try_alone(
    call: _Call[Job, Result], job: Job, setup: WorkerSetup
) -> tuple[tuple[Job], list[Result] | Lost[Job]]:
    """Run a job again, alone in a pool; it is lost if the worker dies again."""
    with _new_pool(1, setup) as pool:
        future = call.submit(pool, (job,))
        workers = multiprocessing.active_children()
        try:
            while not _completed([future]):
                pass
            return (job,), future.result()
        except BrokenProcessPool:
            pass
    ends = [-worker.exitcode for worker in workers if worker.exitcode and worker.exitcode < 0]
    return (job,), Lost(job, ends[0] if ends else None)


def _completed(futures: Iterable[Future[list[Result]]]) -> set[Future[list[Result]]]:
    """Wait a while; return the futures that are done.

    The main thread returns now and then to Python code, the only place where it handles a signal:
    one that another thread received would not wake it up.
    """
    return wait(futures, timeout=POLL, return_when=FIRST_COMPLETED).done


@contextmanager
def _new_pool(workers: int, setup: WorkerSetup) -> Iterator[ProcessPoolExecutor]:
    """Start a pool of single-threaded processes that share no memory with this one."""
    context = multiprocessing.get_context("spawn")
    for name in THREADS:
        os.environ.setdefault(name, "1")
    counter = context.Value("i", 0)
    with (
        ProcessPoolExecutor(workers, context, initializer=setup, initargs=(counter,)) as pool,
        children_killed_on_error(),
    ):
        yield pool


@dataclass(frozen=True)
class Workers:
    """The local pool: processes of this machine that compute items."""

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

    def compute(
        self,
        recipe: Recipe,
        tasks: Sequence[Task],
        store: Store,
        progress: ItemProgress,
        prepare: Prepare = as_it_is,
    ) -> Iterator[tuple[Task, Done]]:
        """Yield the result of each task as it completes."""
        if recipe.before:
            load(recipe.before)()
        parts = Parts(recipe.parts) if recipe.parts else None
        progress.parts = parts
        made_by = Maker(socket.gethostname(), self.device, processor_kind())
        for task, done in self._make(recipe, tasks, store, parts, prepare):
            yield task, replace(done, made_by=made_by)

    def _make(
        self,
        recipe: Recipe,
        tasks: Sequence[Task],
        store: Store,
        parts: Parts | None,
        prepare: Prepare,
    ) -> Iterator[tuple[Task, Done]]:
        """Yield the result of each task, made in this process or in others."""
        if self.in_process:
            yield from ((task, make([prepare(task)], recipe, store)[0]) for task in tasks)
            return
        pooled = map_items(
            partial(make, recipe=recipe, store=store),
            tasks,
            workers=self.count,
            gpus=self.gpus,
            setup=parts.setup(self.setup) if parts else self.setup,
            chunk=self.chunk,
            prepare=prepare,
        )
        for jobs, results in pooled:
            if isinstance(results, Lost):
                yield results.job, _lost(results, recipe, store)
            else:
                yield from zip(jobs, results, strict=True)


def _lost(lost: Lost[Task], recipe: Recipe, store: Store) -> Done:
    """Return a recorded fault where the item took more than its share, else a failure."""
    if not recipe.overrun or lost.signal != OVERRUN:
        return LOST
    receipt = Receipt(lost.job.ingredients, fault=Fault("WorkerEnded", recipe.overrun, "killed"))
    store.commit(receipt)
    return Done(receipt, 0.0)
