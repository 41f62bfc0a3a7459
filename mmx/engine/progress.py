"""The progress of a long run: a bar in a terminal, a line at intervals in a log."""

import multiprocessing
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    RenderableColumn,
    TextColumn,
    TimeRemainingColumn,
)

LOG_EVERY = 30.0
"""Seconds between lines without a terminal."""


class Counter(Protocol):
    """A number that several workers increase."""

    value: int

    def get_lock(self) -> AbstractContextManager[Any]:
        """Return the lock to hold while `value` is changed."""


_counter: Counter | None = None
"""The counter of the run that this worker belongs to."""


class Finished(Protocol):
    """The parts that all workers of a run have finished."""

    @property
    def name(self) -> str:
        """What the parts are called, e.g. `pairs`."""

    @property
    def done(self) -> int:
        """Number of parts finished so far."""


@dataclass
class ReportedParts:
    """Parts that workers elsewhere report."""

    name: str
    done: int = 0


class Parts:
    """Counts the parts that all workers of a run on this machine have finished."""

    def __init__(self, name: str) -> None:
        """Start at zero; `name` is what the parts are called, e.g. `pairs`."""
        self.name = name
        self._counter = multiprocessing.get_context("spawn").Value("q", 0)

    @property
    def done(self) -> int:
        """Number of parts finished so far."""
        done: int = self._counter.value
        return done

    def setup(self, call: Callable[[int], None] | None) -> Callable[[int], None]:
        """Return what a new worker calls before its first job, so that it counts here."""
        return partial(_begin, self._counter, call)


def count_with(counter: Counter) -> None:
    """Let `count_part` count in `counter` from now on."""
    global _counter
    _counter = counter


def _begin(counter: Counter, call: Callable[[int], None] | None, number: int) -> None:
    count_with(counter)
    if call:
        call(number)


def count_part() -> None:
    """Count one more finished part of the current item; without a run, do nothing."""
    if _counter is not None:
        with _counter.get_lock():
            _counter.value += 1


class ItemProgress:
    """Counts reused, computed and failed items of a step and shows rate and time left."""

    def __init__(self, step: str, total: int, unit: str = "trailers") -> None:
        self.step, self.total, self.unit = step, total, unit
        self.reused = self.computed = self.failed = 0
        self.started = self.logged = time.monotonic()
        self.parts: Finished | None = None
        """The parts of the items, if they are long; their rate is shown."""
        self.nodes = ""
        """Nodes and workers in use and the bytes they moved, if there are several machines."""
        self.console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("{task.description:<22}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[counts]}"),
            RenderableColumn(self),
            TimeRemainingColumn(),
            console=self.console,
            disable=not sys.stderr.isatty(),
        )
        self.task = self.bar.add_task(step, total=total, counts="")

    def __enter__(self) -> "ItemProgress":
        """Start the bar."""
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the bar and print one closing line."""
        self.bar.stop()
        print(f"{self.step}: {self.summary()}", file=sys.stderr, flush=True)

    def summary(self) -> str:
        """Return the counts as text."""
        seconds = time.monotonic() - self.started
        counts = (
            f"{self.reused} reused, {self.computed} computed, {self.failed} failed "
            f"of {self.total} {self.unit} in {seconds:.1f} s"
        )
        return ", ".join(filter(None, (counts, self.parts_rate(), self.nodes)))

    def __rich__(self) -> str:
        """Return the rate of parts, and the nodes, which the bar reads at each refresh."""
        return "  ".join(filter(None, (self.parts_rate(), self.nodes)))

    def parts_rate(self) -> str:
        """Return the parts finished per second by all workers together, as text."""
        if self.parts is None:
            return ""
        seconds = max(time.monotonic() - self.started, 1e-9)
        return f"{self.parts.done / seconds:.1f} {self.parts.name}/s"

    def count(self, *, reused: int = 0, computed: int = 0, failed: int = 0) -> None:
        """Add to the counts and show them."""
        self.reused += reused
        self.computed += computed
        self.failed += failed
        rate = self.computed / max(time.monotonic() - self.started, 1e-9)
        counts = f"{self.reused} reused  {self.computed} computed  {self.failed} failed"
        self.bar.update(
            self.task, advance=reused + computed + failed, counts=f"{counts}  {rate:.2f}/s"
        )
        if self.bar.disable and time.monotonic() - self.logged > LOG_EVERY:
            self.logged = time.monotonic()
            line = filter(
                None, (f"{self.step}: {counts}", f"{rate:.2f}/s", self.parts_rate(), self.nodes)
            )
            print(", ".join(line), file=sys.stderr, flush=True)
