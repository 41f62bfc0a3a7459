"""The process pool for all parallel work: it is rebuilt when a worker dies."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Generic, TypeVar

from mmx.engine.startup import spare_pandas

Job = TypeVar("Job")
Result = TypeVar("Result")

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Set to one thread in each worker: the cores are used by processes."""


@dataclass(frozen=True)
class Lost(Generic[Job]):
    """A job whose worker died twice, the second time with no other job in the pool."""

    job: Job


@dataclass(frozen=True)
class WorkerSetup:
    """What a new worker does before its first job."""

    call: Callable[[int], None] | None = None
    """Receives the worker's number, from 0; with GPUs, the GPU it is to use."""
    gpus: int = 0

    def __call__(self, counter: "multiprocessing.sharedctypes.Synchronized[int]") -> None:
        """Take a number and run `call` with it."""
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
) -> Iterator[tuple[Sequence[Job], list[Result] | Lost[Job]]]:
    """Yield (jobs, results) as chunks of `items` complete, in the order of completion.

    `fn` gets a chunk and returns one result per job; an exception of `fn` reaches the caller. When
    a worker dies, the pool is rebuilt and the jobs that were running are run again, each
    alone; one whose worker dies again is yielded as `Lost`, and the others continue.
    """
    chunks = [tuple(items[i : i + chunk]) for i in range(0, len(items), chunk)]
    interrupted: list[tuple[Job, ...]] = []
    while chunks:
        for done in _run_pool(fn, chunks, interrupted, workers, WorkerSetup(setup, gpus)):
            chunks.remove(done[0])
            yield done
        for jobs in interrupted:
            chunks.remove(jobs)
        for job in [job for jobs in interrupted for job in jobs]:
            yield _try_alone(fn, job, WorkerSetup(setup, gpus))
        interrupted.clear()


def _run_pool(
    fn: Callable[[Sequence[Job]], list[Result]],
    chunks: Sequence[tuple[Job, ...]],
    interrupted: list[tuple[Job, ...]],
    workers: int,
    setup: WorkerSetup,
) -> Iterator[tuple[tuple[Job, ...], list[Result]]]:
    """Yield what one pool completes; when a worker dies, add the running jobs to `interrupted`.

    At most `workers` chunks are submitted at a time, so that a death interrupts few.
    """
    waiting = list(reversed(chunks))
    running: dict[Future[list[Result]], tuple[Job, ...]] = {}
    with _new_pool(min(workers, len(chunks)), setup) as pool:
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    jobs = waiting.pop()
                    running[pool.submit(fn, jobs)] = jobs
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    yield running.pop(future), result
        except BrokenProcessPool:
            interrupted.extend(running.values())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _try_alone(
    fn: Callable[[Sequence[Job]], list[Result]], job: Job, setup: WorkerSetup
) -> tuple[tuple[Job], list[Result] | Lost[Job]]:
    """Run a job again, alone in a pool; it is lost if the worker dies again."""
    with _new_pool(1, setup) as pool:
        try:
            return (job,), pool.submit(fn, (job,)).result()
        except BrokenProcessPool:
            return (job,), Lost(job)


def _new_pool(workers: int, setup: WorkerSetup) -> ProcessPoolExecutor:
    """Start a pool of single-threaded processes that share no memory with this one."""
    context = multiprocessing.get_context("spawn")
    for name in THREADS:
        os.environ.setdefault(name, "1")
    counter = context.Value("i", 0)
    return ProcessPoolExecutor(workers, context, initializer=setup, initargs=(counter,))
