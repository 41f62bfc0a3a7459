"""Read ahead in other threads, so that decoding, preprocessing and the network overlap.

PyAV, Pillow, numpy and torch release the interpreter's lock while they work. What is read ahead is
bounded by the queue, whatever the length of the work.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Queue
from threading import Event, Lock, Thread
from typing import Any, Generic, TypeVar

Work = TypeVar("Work")
Part = TypeVar("Part")


@dataclass(frozen=True)
class Finished(Generic[Work]):
    """A piece of work was read to its end, or to the fault that ended it."""

    work: Work
    fault: Exception | None


@dataclass(frozen=True)
class Read(Generic[Work, Part]):
    """One part of a piece of work."""

    work: Work
    part: Part


@dataclass(frozen=True)
class _Ended:
    """A thread has finished; `error` is an exception of the iterator of work itself."""

    error: BaseException | None = None


def read_ahead(
    works: Iterable[Work],
    read: Callable[[Work], Iterable[Part]],
    *,
    threads: int,
    capacity: int,
) -> Iterator[Read[Work, Part] | Finished[Work]]:
    """Yield the parts of every piece of work and a `Finished` after the last of each.

    With one thread the works come one after the other; with more, those under way are mixed, the
    parts of each in order. An exception of `read` ends its own work only; one of `works` reaches
    the caller. `capacity` parts at most wait. The threads end when the iterator is closed.
    """
    queue: Queue[Any] = Queue(capacity)
    stop, lock, todo = Event(), Lock(), iter(works)
    workers = [
        Thread(target=_fill, args=(queue, stop, lock, todo, read), daemon=True)
        for _ in range(threads)
    ]
    for worker in workers:
        worker.start()
    try:
        yield from _drain(queue, threads)
    finally:
        stop.set()
        _join(queue, workers)


def _fill(
    queue: "Queue[Any]",
    stop: Event,
    lock: Lock,
    todo: Iterator[Work],
    read: Callable[[Work], Iterable[Part]],
) -> None:
    """Take work and queue its parts, until there is no more or `stop` is set."""
    try:
        while not stop.is_set():
            with lock:
                work = next(todo)
            queue.put(Finished(work, _read_one(queue, stop, work, read)))
    except StopIteration:
        queue.put(_Ended())
    except BaseException as error:
        queue.put(_Ended(error))


def _read_one(
    queue: "Queue[Any]", stop: Event, work: Work, read: Callable[[Work], Iterable[Part]]
) -> Exception | None:
    """Queue the parts of one piece of work; return the exception that ended it."""
    try:
        for part in read(work):
            if stop.is_set():
                break
            queue.put(Read(work, part))
    except Exception as error:
        return error
    return None


def _drain(queue: "Queue[Any]", threads: int) -> Iterator[Any]:
    """Yield what is queued until every thread has ended."""
    while threads:
        found = queue.get()
        if not isinstance(found, _Ended):
            yield found
            continue
        if found.error is not None:
            raise found.error
        threads -= 1


def _join(queue: "Queue[Any]", workers: list[Thread]) -> None:
    """Wait for the threads, discarding what they still queue."""
    for worker in workers:
        while worker.is_alive():
            with suppress(Empty):
                queue.get_nowait()
            worker.join(timeout=0.001)
