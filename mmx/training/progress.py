"""Progress of a training: epoch, loss, speed, time left."""

import sys
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mmx.training.curves import Row

LOG_EVERY = 30.0
"""Seconds between lines without a terminal."""


class EpochProgress:
    """A progress bar over epochs on a terminal, a line every LOG_EVERY seconds in a log."""

    def __init__(self, name: str, total: int) -> None:
        self.name, self.total = name, total
        self.logged = time.monotonic()
        self.bar = Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("epochs  {task.fields[figures]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self.task = self.bar.add_task(name, total=total, figures="")

    def follow(self, first: int) -> Iterator[int]:
        """Yield the epochs from `first` to the last, showing the progress."""
        with self.bar:
            self.bar.update(self.task, completed=first - 1)
            yield from range(first, self.total + 1)

    def show(self, row: Row) -> None:
        """Show the figures of a finished epoch."""
        figures = ", ".join(
            f"{name.replace('_', ' ')} {value:.4f}"
            for name, value in row.items()
            if name != "epoch" and value is not None
        )
        self.bar.update(self.task, completed=row["epoch"], figures=figures)
        if self.bar.disable and time.monotonic() - self.logged > LOG_EVERY:
            self.logged = time.monotonic()
            print(f"{self.name}: epoch {row['epoch']}/{self.total}, {figures}", file=sys.stderr)
