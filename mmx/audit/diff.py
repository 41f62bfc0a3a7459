"""What changed between two versions of the feature store, by trailer, and why."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mmx.dvc_state.history import Commit, History, HistoryError
from mmx.engine.errors import ReceiptError
from mmx.engine.parquet import UNREADABLE, refuse_pipe
from mmx.engine.receipt import Ingredients, Receipt
from mmx.features.receipts import receipt_of
from mmx.features.schema import RECEIPTS_FILE
from mmx.pipeline.step import SOUND, VIDEO
from mmx.project import Project

ROWS = 1024
WORKTREE = "work tree"
STREAM_TEXTS = {VIDEO: "another video", SOUND: "another sound"}
"""Text for a changed input that no step made, by its role."""


@dataclass(frozen=True)
class Change:
    """An item (one trailer, one step) that differs between the versions."""

    step: str
    trailer: str
    kind: str
    """`added`, `removed` or `recomputed`."""
    reasons: tuple[str, ...] = ()
    """For `recomputed`: which ingredients differ."""


@dataclass(frozen=True)
class Difference:
    """All differences between two versions."""

    old: str
    new: str
    changes: tuple[Change, ...]
    unchanged: int
    """Items that are the same in both."""

    @cached_property
    def counts(self) -> dict[tuple[str, str, str], int]:
        """Number of changes by step, kind and reasons, sorted."""
        keys = [(change.step, change.kind, "; ".join(change.reasons)) for change in self.changes]
        return dict(sorted(Counter(keys).items()))

    def trailers(self, kind: str) -> list[str]:
        """Trailers that have a change of this kind."""
        return sorted({change.trailer for change in self.changes if change.kind == kind})


Items = dict[tuple[str, str], Receipt]
"""Receipt by (step, trailer)."""


def diff(project: Project, old: str, new: str | None = None) -> Difference:
    """Compare the feature store of revision `old` with that of `new`, or with the work tree.

    Raise HistoryError for a revision that git does not know, or whose store DVC does not have.
    """
    history = History(project.layout.root)
    out = project.layout.features.relative_to(project.layout.root).as_posix()
    before, old_name = _items_at(history, out, old)
    if new is None:
        after, new_name = read_items(project.layout.features / RECEIPTS_FILE), WORKTREE
    else:
        after, new_name = _items_at(history, out, new)
    changes = tuple(compare(before, after))
    same = len(before.keys() | after.keys()) - len(changes)
    return Difference(old_name, new_name, changes, same)


def _items_at(history: History, out: str, revision: str) -> tuple[Items, str]:
    """Return the items of the feature store at a revision, and the commit's name."""
    version = history.at(revision)
    path = version.file(out, RECEIPTS_FILE)
    if path is None:
        raise HistoryError(f"{revision!r} has no feature store")
    return read_items(path), _name_of(version.commit)


def _name_of(commit: Commit | None) -> str:
    """Text for a commit."""
    return str(commit) if commit else WORKTREE


def read_items(path: Path) -> Items:
    """Return the receipts of a receipts.parquet by step and trailer."""
    try:
        refuse_pipe(path)
        return _items_of(pa.BufferReader(path.read_bytes()))
    except FileNotFoundError:
        raise HistoryError(
            "there is no feature store here: `dvc fetch --all-commits` gets earlier versions, "
            "`dvc repro features` makes the present one"
        ) from None
    except (*UNREADABLE, ReceiptError, TypeError):
        raise HistoryError(
            f"{RECEIPTS_FILE} of the feature store is damaged: `mmx repair` removes it, "
            "`dvc repro` makes it again"
        ) from None


def _items_of(content: pa.BufferReader) -> Items:
    """Return receipts by step and trailer, a few thousand rows as Python objects at a time."""
    items: Items = {}
    firsts: dict[str, Receipt] = {}
    with pq.ParquetFile(content) as file:
        for batch in file.iter_batches(ROWS):
            for row in batch.to_pylist():
                receipt = receipt_of(row, firsts.get(row["step"]))
                firsts.setdefault(row["step"], receipt)
                items.update(((row["step"], name), receipt) for name in row["trailers"])
    return items


def compare(before: Items, after: Items) -> Iterable[Change]:
    """Yield the changes, sorted by step and trailer."""
    for step, trailer in sorted(before.keys() | after.keys()):
        old, new = before.get((step, trailer)), after.get((step, trailer))
        if old is None or new is None:
            yield Change(step, trailer, "added" if old is None else "removed")
        elif old.fingerprint != new.fingerprint:
            reasons = tuple(why(old.ingredients, new.ingredients))
            yield Change(step, trailer, "recomputed", reasons)


def why(old: Ingredients, new: Ingredients) -> Iterable[str]:
    """Yield a text for each ingredient that differs."""
    for role in sorted(old.inputs.keys() | new.inputs.keys()):
        if old.inputs.get(role) != new.inputs.get(role):
            yield STREAM_TEXTS.get(role, f"another result of {role}")
    yield from _differing("", old.parameters, new.parameters)
    if old.code != new.code:
        yield "code"
    if {weight.sha256 for weight in old.weights} != {weight.sha256 for weight in new.weights}:
        yield "weights"
    yield from _differing("version of ", old.tools, new.tools)
    if old.schema != new.schema:
        yield f"schema {old.schema} -> {new.schema}"


def _differing(label: str, old: dict[str, Any], new: dict[str, Any]) -> Iterable[str]:
    """Yield a text with both values for each entry that differs."""
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            yield f"{label}{key} {_value_text(old, key)} -> {_value_text(new, key)}"


def _value_text(values: dict[str, Any], key: str) -> str:
    """A value as JSON; `nothing` if there is none."""
    return json.dumps(values[key]) if key in values else "nothing"
