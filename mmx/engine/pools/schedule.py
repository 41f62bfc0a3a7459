"""Which node works on what next, and what becomes of work whose worker or node is lost."""

import hashlib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mmx.engine.task import Task

STRIKES = 2
"""Deaths of a worker, on a node that lives on, after which a task is lost."""
MOVES = 5
"""Losses of a node, or faults of its machine, that a task survives."""


@dataclass(frozen=True)
class Work:
    """Tasks that are computed by one call, and what happened to them so far."""

    tasks: tuple[Task, ...]
    strikes: int = 0
    moves: int = 0


def divide(tasks: Sequence[Task], chunk: int, workers: int) -> list[Work]:
    """Return the tasks in calls of at most `chunk`, smaller ones where workers would be idle."""
    size = max(1, min(chunk, -(-len(tasks) // (4 * max(workers, 1)))))
    return [Work(tuple(tasks[i : i + size])) for i in range(0, len(tasks), size)]


class Schedule:
    """Work that waits, by the node that is likely to have its inputs."""

    def __init__(self, works: Iterable[Work]) -> None:
        self._unassigned = deque(works)
        self._queues: dict[str, deque[Work]] = {}

    def __bool__(self) -> bool:
        """Whether any work waits."""
        return bool(self._unassigned) or any(self._queues.values())

    def deal(self, nodes: Iterable[str]) -> None:
        """Divide what waits among these nodes again; with none, it waits for the next time."""
        waiting = [*self._unassigned, *(work for queue in self._queues.values() for work in queue)]
        self._unassigned.clear()
        self._queues = {node: deque() for node in nodes}
        for work in waiting:
            self.put(work)

    def put(self, work: Work, *, first: bool = False) -> None:
        """Add work, in front of all other or behind it."""
        queue = self._queues[self._home(work)] if self._queues else self._unassigned
        queue.appendleft(work) if first else queue.append(work)

    def take(self, node: str) -> Work | None:
        """Return the next work for a node: its own, or the last of the node that has most."""
        if own := self._queues.get(node):
            return own.popleft()
        longest = max(self._queues.values(), key=len, default=None)
        return longest.pop() if longest else None

    def ahead(self, node: str) -> Work | None:
        """Return what the node will take next, which stays where it is."""
        own = self._queues.get(node)
        return own[0] if own else None

    def _home(self, work: Work) -> str:
        """Return the node of highest random weight: all steps of a trailer prefer the same."""
        inputs = work.tasks[0].ingredients.inputs
        key = next(iter(inputs.values()), "")
        return max(self._queues, key=lambda node: hashlib.sha256(f"{node}{key}".encode()).digest())


def struck(work: Work) -> tuple[list[Work], list[Task]]:
    """Return what to try again, each task alone, and the tasks that are lost."""
    strikes = work.strikes + 1
    if strikes >= STRIKES:
        return [], list(work.tasks)
    return [replace(work, tasks=(task,), strikes=strikes) for task in work.tasks], []


def moved(work: Work) -> tuple[list[Work], list[Task]]:
    """Return what to try again elsewhere, and the tasks that have moved too often."""
    if work.moves >= MOVES:
        return [], list(work.tasks)
    return [replace(work, moves=work.moves + 1)], []
