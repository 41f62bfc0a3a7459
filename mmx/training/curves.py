"""Training curves for `dvc plots`, written by dvclive during the training."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from dvclive import Live
from scmrepo.exceptions import SCMError

Row = dict[str, float | int | None]
"""The recorded figures of an epoch."""


class Curves:
    """The history of a training as dvclive's files; nothing without a folder."""

    def __init__(self, folder: Path | None, history: Sequence[Row]) -> None:
        """Begin with the history of a resumed training."""
        self.live = None
        # dvclive fails in a git repository without commits; the same numbers are in the history, so
        # there are no curves then.
        with contextlib.suppress(SCMError):
            if folder is not None:
                self.live = Live(str(folder), save_dvc_exp=False, dvcyaml=None)
        for row in history:
            self.add(row)

    def add(self, row: Row) -> None:
        """Add an epoch."""
        if self.live is None:
            return
        self.live.step = int(row["epoch"] or 0)
        for name, value in row.items():
            if name != "epoch" and value is not None:
                self.live.log_metric(name, value)
        self.live.make_summary()

    def close(self) -> None:
        """Finish writing."""
        if self.live is not None:
            self.live.end()
