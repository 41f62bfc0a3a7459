"""The progress of a long run: a bar for people, a plain line now and then for logs."""

import multiprocessing
import sys
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any

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
"""Seconds between lines where there is no terminal."""

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
        done: int = self._counter.value
        return done

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


class ItemProgress:
    """Counts reused, computed and failed items of a step and shows rate and time left."""

    def __init__(self, step: str, total: int, unit: str = "trailers") -> None:
        self.step, self.total, self.unit = step, total, unit
        self.reused = self.computed = self.failed = 0
        self.started = self.logged = time.monotonic()
        self.parts: Parts | None = None
        """What the items are made of, if they are long; shown as it is done."""
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
        """Start to show."""
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
        """Return the counts in words."""
        seconds = time.monotonic() - self.started
        counts = (
            f"{self.reused} reused, {self.computed} computed, {self.failed} failed "
            f"of {self.total} {self.unit} in {seconds:.1f} s"
        )
        return ", ".join(filter(None, (counts, self.parts_rate())))

    def __rich__(self) -> str:
        """Return the rate of parts, which the bar asks for again and again."""
        return self.parts_rate()

    def parts_rate(self) -> str:
        """Return how many parts of items are done per second, all workers together, in words."""
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
            told = filter(None, (f"{self.step}: {counts}", f"{rate:.2f}/s", self.parts_rate()))
            print(", ".join(told), file=sys.stderr, flush=True)
