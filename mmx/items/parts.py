"""What long items are made of, counted across workers as it is done: for the progress alone."""

import multiprocessing
from collections.abc import Callable
from functools import partial
from typing import Any

_counter: Any = None
"""The counter of the run that this worker is part of."""


class Parts:
    """Counts the parts that all workers of a run have finished."""

    def __init__(self, name: str) -> None:
        """Begin at zero; `name` is what the parts are called, e.g. `pairs`."""
        self.name = name
        self._counter = multiprocessing.get_context("spawn").Value("q", 0)

    @property
    def done(self) -> int:
        """How many parts are finished by now."""
        return self._counter.value

    def setup(self, call: Callable[[int], None] | None) -> Callable[[int], None]:
        """Return what a fresh worker does before its first job, so that it counts here."""
        return partial(_begin, self._counter, call)


def _begin(counter: Any, call: Callable[[int], None] | None, number: int) -> None:
    global _counter
    _counter = counter
    if call:
        call(number)


def count_part() -> None:
    """Tell the run that one more part of the item under way is done; nothing without a run."""
    if _counter is not None:
        with _counter.get_lock():
            _counter.value += 1
