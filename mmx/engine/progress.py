"""The progress of a long run: a bar in a terminal, a line at intervals in a log."""

import multiprocessing
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Any, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    RenderableColumn,
    TextColumn,
)
from rich.table import Column
from rich.text import Text

LOG_EVERY, LONGEST_LOG_EVERY = 30.0, 600.0
"""Seconds between lines without a terminal: at first, and in a run of hours."""
_RATES = (("s", 1), ("min", 60), ("h", 3600))
"""Units of a rate, with their seconds."""


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
        self.bar = Progress(*_columns(self), console=self.console, disable=not sys.stderr.isatty())
        self.task = self.bar.add_task(step, total=total)

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
        """Stop the bar and print one closing line, unless there was nothing to do."""
        self.bar.stop()
        if self.total:
            print(f"{self.step}: {self.summary()}", file=sys.stderr, flush=True)

    def summary(self) -> str:
        """Return the counts as text."""
        seconds = time.monotonic() - self.started
        counts = f"{self.counts() or 'none'} of {self.total} {self.unit} in {seconds:.1f} s"
        return ", ".join(filter(None, (counts, self.parts_rate(), self.nodes)))

    def counts(self) -> str:
        """Return how many items are reused, computed and failed, without those that are zero."""
        named = {"reused": self.reused, "computed": self.computed, "failed": self.failed}
        return ", ".join(f"{count} {name}" for name, count in named.items() if count)

    def __rich__(self) -> Text:
        """Return what the bar shows behind the time left; it is cut where the line ends."""
        shown = (self._failures(), self.rate(), self.parts_rate(), self.nodes)
        return Text("  ".join(filter(None, shown)), no_wrap=True, overflow="ellipsis")

    def _failures(self) -> str:
        return f"{self.failed} failed" if self.failed else ""

    def rate(self) -> str:
        """Return how many items are made in a second, a minute or an hour, as text."""
        a_second = self._a_second()
        if not a_second:
            return ""
        unit, times = next((each for each in _RATES if a_second * each[1] >= 1), _RATES[-1])
        return f"{a_second * times:.2g}/{unit}"

    def left(self) -> str:
        """Return the time that is left at the rate so far; a dash before the first item is made."""
        items = self.total - self.reused - self.computed - self.failed
        a_second = self._a_second()
        if items <= 0 or not a_second:
            return "-" if items else "0:00:00"
        return str(timedelta(seconds=round(items / a_second)))

    def _a_second(self) -> float:
        made = self.computed + self.failed
        return made / max(time.monotonic() - self.started, 1e-9)

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
        self.bar.update(self.task, advance=reused + computed + failed)
        now, done = time.monotonic(), self.reused + self.computed + self.failed
        if (
            self.bar.disable
            and done < self.total
            and now - self.logged > log_every(now - self.started)
        ):
            self.logged = now
            print(f"{self.step}: {self.line()}", file=sys.stderr, flush=True)

    def line(self) -> str:
        """Return how far the run is, for a log."""
        done = self.reused + self.computed + self.failed
        parts = (
            f"{done} of {self.total} {self.unit} ({done / max(self.total, 1):.0%})",
            *(self._failures(), self.rate(), self.parts_rate(), self.nodes, f"{self.left()} left"),
        )
        return ", ".join(filter(None, parts))


def log_every(seconds: float) -> float:
    """Return the seconds between lines of a log, `seconds` after the start: more for long runs."""
    return min(max(LOG_EVERY, seconds / 20), LONGEST_LOG_EVERY)


def _columns(progress: ItemProgress) -> list[ProgressColumn]:
    """Return the columns of the bar; where a terminal is too narrow, the last is cut."""
    return [
        TextColumn("{task.description}", table_column=Column(no_wrap=True)),
        BarColumn(bar_width=12, table_column=Column(no_wrap=True)),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        RenderableColumn(_Left(progress), table_column=Column(no_wrap=True)),
        RenderableColumn(progress, table_column=Column()),
    ]


@dataclass
class _Left:
    """The time left, as the bar shows it."""

    progress: ItemProgress

    def __rich__(self) -> Text:
        return Text(self.progress.left())
