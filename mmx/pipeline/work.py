"""One shard of a step's missing items, computed beside others, on any machine that sees the store.

For array jobs of a batch system. Only the item store is written; the stage itself then finds all
items there, and lays them out.
"""

import re
from dataclasses import dataclass, replace

from mmx.engine.receipt import gc_disabled
from mmx.engine.run import Outcome, check, complete
from mmx.errors import NotMadeError, UserError, require_output
from mmx.outputs import receipt_files
from mmx.pipeline.gate import refuse_costly_recomputation
from mmx.pipeline.registry import find_trailer_step
from mmx.pipeline.run import cached_output, preparation, trailer_tasks, workers_of
from mmx.pipeline.step import TrailerStep
from mmx.pipeline.upstream import STREAM_COLUMNS, Upstream
from mmx.project import Project
from mmx.tools import check_tools


class ShardError(UserError):
    """Not the name of a shard."""


@dataclass(frozen=True)
class Shard:
    """One of `total` parts of all items; each item is in exactly one, whoever asks."""

    number: int
    """0 <= number < total."""
    total: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Return the shard i/n, with i counted from 0 or from 1: 0/n and n/n are the same one."""
        found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
        number, total = map(int, found.groups()) if found else (0, 0)
        if not 0 <= number <= total or total == 0:
            raise ShardError(f"{text!r} is not a shard: write 3/8 for the third of eight")
        return cls(number % total, total)

    def __str__(self) -> str:
        """Return i/n, with i counted from 1."""
        return f"{self.number or self.total}/{self.total}"

    def has(self, fingerprint: str) -> bool:
        """Say whether the item with this fingerprint is in the shard."""
        return int(fingerprint, 16) % self.total == self.number


@dataclass(frozen=True)
class Worked:
    """What became of a shard."""

    outcome: Outcome
    waiting: int
    """Accepted trailers, of all shards, of which a step before this one has no result yet."""


def work(name: str, project: Project, shard: Shard) -> Worked:
    """Compute the items of a step that fall to a shard and are not in the store.

    Raise what `Step.run` raises, but StoreBusyError only for a run that is no worker of a shard,
    and StepFailedError only for failures: how many faults are too many, the stage decides.
    NotMadeError where a step before this one was not run.
    """
    step = find_trailer_step(name, project.params)
    check_tools(project.layout.tools, step.tools)
    upstream = Upstream(project)
    _require_earlier(step, upstream)
    with project.store.joined(f"{name} {shard}") as store:
        outcome = _complete(step, Upstream(replace(project, store=store)), shard)
    check(outcome, name, max_failed=1.0)
    return Worked(outcome, sum(_waits(step, upstream, trailer) for trailer in upstream.sources))


@gc_disabled()
def _complete(step: TrailerStep, upstream: Upstream, shard: Shard) -> Outcome:
    project = upstream.project
    cached = cached_output(step, project)
    return complete(
        step.recipe,
        [task for task in trailer_tasks(step, upstream) if shard.has(task.ingredients.fingerprint)],
        project.store,
        cached=cached,
        workers=workers_of(step, project),
        prepare=preparation(step, upstream),
        before=lambda misses: refuse_costly_recomputation(
            step, upstream, cached, misses, shard.total
        ),
    )


def _require_earlier(step: TrailerStep, upstream: Upstream) -> None:
    """Raise NotMadeError where the output of a step that this one reads is not laid out."""
    root = upstream.project.layout.root
    require_output(root, "data/sources.parquet")
    for name in _earlier(step):
        folder = upstream.step(name).output.folder
        if not receipt_files(root / folder):
            raise NotMadeError(f"{folder} is not there yet: `dvc repro {name}` makes it")


def _earlier(step: TrailerStep) -> list[str]:
    return [need for need in step.needs if need not in STREAM_COLUMNS]


def _waits(step: TrailerStep, upstream: Upstream, trailer: str) -> bool:
    return any(trailer not in upstream.receipts(name) for name in _earlier(step))
