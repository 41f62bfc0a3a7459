"""Progress of a training: epoch, loss, speed, time left."""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    RenderableColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from mmx.training.curves import Row

LOG_EVERY = 30.0
"""Seconds between lines without a terminal."""


class EpochProgress:
    """A progress bar over epochs on a terminal, a line every LOG_EVERY seconds in a log."""

    def __init__(self, name: str, total: int) -> None:
        self.name, self.total = name, total
        self.logged = time.monotonic()
        self.bar = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=12, table_column=Column(no_wrap=True)),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
            RenderableColumn(_Figures(self)),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self.figures = ""
        """The latest, which the bar shows; they are cut where the line ends."""
        self.started, self.first = time.monotonic(), 1
        self.task = self.bar.add_task(name, total=total)

    def follow(self, first: int) -> Iterator[int]:
        """Yield the epochs from `first` to the last, showing the progress."""
        with self.bar:
            self.started, self.first = time.monotonic(), first
            self.bar.update(self.task, completed=first - 1)
            yield from range(first, self.total + 1)

    def show(self, row: Row) -> None:
        """Show the figures of a finished epoch."""
        self.figures = ", ".join(
            f"{name.replace('_', ' ')} {value:.4f}"
            for name, value in row.items()
            if name != "epoch" and value is not None
        )
        epoch = int(row["epoch"] or 0)
        self.bar.update(self.task, completed=epoch)
        if self.bar.disable and time.monotonic() - self.logged > LOG_EVERY:
            self.logged = time.monotonic()
            left = f"{self._left(epoch)} left"
            line = f"{self.name}: epoch {epoch}/{self.total}, {self.figures}, {left}"
            print(line, file=sys.stderr, flush=True)

    def _left(self, epoch: int) -> timedelta:
        """Return the time that is left after an epoch, at the rate since this run began."""
        each = (time.monotonic() - self.started) / max(epoch - self.first + 1, 1)
        return timedelta(seconds=round(each * (self.total - epoch)))


@dataclass
class _Figures:
    """The latest figures, as the bar shows them."""

    progress: EpochProgress

    def __rich__(self) -> Text:
        return Text(self.progress.figures, no_wrap=True, overflow="ellipsis")
