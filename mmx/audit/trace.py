"""From a row back to the bytes of its video: what made it, of what, when and where."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from mmx.dvc_state.history import Commit, History, HistoryError, receipts_of_shard
from mmx.engine.receipt import Receipt
from mmx.errors import UserError
from mmx.features.receipts import receipt_of
from mmx.features.schema import RECEIPTS as RECEIPTS_TABLE
from mmx.layout import Layout
from mmx.outputs import ITEM, RECEIPTS, shard_of
from mmx.params import Params
from mmx.project import Project
from mmx.steps import VIDEO


class TraceError(UserError):
    """There is no such row, and never was as far as git and DVC know."""


@dataclass(frozen=True)
class Video:
    """The bytes at the end of every chain."""

    sha256: str
    path: str
    """Below data/; empty where no table names a file with this digest."""


@dataclass(frozen=True)
class Unknown:
    """An input of which nothing but the digest is known."""

    step: str
    digest: str


@dataclass(frozen=True)
class Made:
    """One item of the chain."""

    receipt: Receipt
    inputs: dict[str, "Made | Video | Unknown"]
    """By role, as the receipt names them."""
    commit: Commit | None
    """The commit that brought it; None where it was never committed, or without git."""
    runs: tuple[dict[str, Any], ...]
    """Entries of the journal, oldest first: when, where, how long. Empty on another machine."""
    changed: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    """Parameters that params.yaml has otherwise by now: (then, now)."""

    @property
    def step(self) -> str:
        """Name of the step."""
        return self.receipt.ingredients.step


@dataclass(frozen=True)
class Trace:
    """All that is known of one trailer's row, or of all its rows."""

    trailer: str
    clip: int | None
    rows: dict[str, dict[str, Any]]
    """The row itself by table, without its vector; empty where no clip is asked for."""
    chains: tuple[Made, ...]
    """One per expert asked for, or that of the clips where there is none."""


@dataclass(frozen=True)
class Witnesses:
    """Everywhere that a trailer's receipts may be found, most present first."""

    project: Project
    trailer: str

    @property
    def layout(self) -> Layout:
        """The project's layout."""
        return self.project.layout

    @cached_property
    def history(self) -> History:
        """What git and DVC remember."""
        return History(self.layout.root)

    @cached_property
    def published(self) -> list[Receipt]:
        """The trailer's receipts in the feature store: all there is on another machine."""
        path = self.layout.features / RECEIPTS_TABLE
        rows = pq.read_table(path).to_pylist() if path.exists() else []
        return [receipt_of(row) for row in rows if self.trailer in row["trailers"]]

    def out(self, step: str) -> str:
        """A step's output directory, relative to the project."""
        layout = self.layout
        folders = {"scenes": layout.clips, "audio": layout.audio, "flow": layout.flow}
        folder = folders.get(step) or layout.embeddings(step.partition("@")[2])
        return folder.relative_to(layout.root).as_posix()

    def receipts(self, step: str) -> Iterator[Receipt]:
        """Yield the trailer's receipts of a step: present, published, in the store, in history."""
        folder = self.layout.root / self.out(step) / RECEIPTS
        shard = receipts_of_shard(folder / f"r{shard_of(self.trailer)}.jsonl")
        if self.trailer in shard:
            yield shard[self.trailer]
        yield from (found for found in self.published if found.ingredients.step == step)
        for version in self.history.versions(self.out(step)):
            try:
                found = version.receipt(self.out(step), self.trailer)
            except HistoryError:
                continue
            if found:
                yield found

    def commit(self, receipt: Receipt) -> Commit | None:
        """Return the commit that brought an item: the oldest whose output has its fingerprint."""
        brought = None
        out = self.out(receipt.ingredients.step)
        for version in self.history.versions(out):
            try:
                found = version.receipt(out, self.trailer)
            except HistoryError:
                continue
            if found and found.fingerprint == receipt.fingerprint:
                brought = version.commit
        return brought

    def runs(self, receipt: Receipt) -> tuple[dict[str, Any], ...]:
        """Return the journal's entries about an item."""
        made = receipt.adopted or receipt.fingerprint
        entries = self.project.store.journal(receipt.ingredients.step)
        return tuple(entry for entry in entries if entry.get("fingerprint") == made)

    @cached_property
    def videos(self) -> dict[str, str]:
        """Path below data/ of the accepted videos by sha256."""
        if not self.layout.sources.exists():
            return {}
        rows = pq.read_table(self.layout.sources, columns=["sha256", "video"]).to_pylist()
        return {row["sha256"]: row["video"] for row in rows}


def trace(
    project: Project,
    trailer: str,
    *,
    clip: int | None = None,
    expert: str | None = None,
    fingerprint: str | None = None,
) -> Trace:
    """Return the chain from a trailer's rows to its video.

    clip: one row, with its own values. expert: one expert's row instead of all experts'.
    fingerprint: the row as it once was, by the value of its column or the first digits of it; it
    is looked for in everything that git and DVC remember. Raise TraceError where there is none.
    """
    witnesses = Witnesses(project, trailer)
    experts = [expert] if expert else sorted(project.params.embed.experts)
    steps = [f"embed@{name}" for name in experts]
    chains = [chain(step, witnesses, fingerprint) for step in steps]
    found = [made for made in chains if made]
    if not found and not expert:
        scenes = chain("scenes", witnesses, fingerprint)
        found = [scenes] if scenes else []
    if not found:
        raise TraceError(no_such_row(trailer, expert, fingerprint))
    rows = {} if clip is None else clip_rows(clip, found, witnesses)
    if clip is not None and not rows:
        raise TraceError(f"{trailer} has no clip {clip}")
    return Trace(trailer, clip, rows, tuple(found))


def no_such_row(trailer: str, expert: str | None, fingerprint: str | None) -> str:
    """Return the sentence for a row that nobody knows of."""
    what = f"rows of {expert}" if expert else "rows"
    if fingerprint:
        return f"{trailer} has no {what} with fingerprint {fingerprint}, nor had in any commit"
    return f"{trailer} has no {what}: `mmx status` says how far its steps are"


def chain(step: str, witnesses: Witnesses, fingerprint: str | None = None) -> Made | None:
    """Return the item of a step and all that it was made of; None where nobody knows it."""
    for receipt in witnesses.receipts(step):
        if fingerprint is None or receipt.fingerprint.startswith(fingerprint):
            return explain(receipt, witnesses)
    return None


def explain(receipt: Receipt, witnesses: Witnesses) -> Made:
    """Follow a receipt's inputs down to the video."""
    made_of = receipt.ingredients
    inputs = {role: follow(role, digest, witnesses) for role, digest in made_of.inputs.items()}
    changed = {}
    for key, then in made_of.parameters.items():
        now = present_value(witnesses.project.params, key)
        if now != then:
            changed[key] = (then, now)
    return Made(receipt, inputs, witnesses.commit(receipt), witnesses.runs(receipt), changed)


def follow(role: str, digest: str, witnesses: Witnesses) -> Made | Video | Unknown:
    """Return what an input was: the video, or the item whose output has this digest."""
    if role == VIDEO:
        return Video(digest, witnesses.videos.get(digest, ""))
    for receipt in witnesses.receipts(role):
        if receipt.output_digest == digest:
            return explain(receipt, witnesses)
    return Unknown(role, digest)


def present_value(params: Params, key: str) -> Any:
    """Return what params.yaml says now; None for a key that it no longer has."""
    try:
        return params.value(key)
    except KeyError:
        return None


def clip_rows(clip: int, found: list[Made], witnesses: Witnesses) -> dict[str, dict[str, Any]]:
    """Return one clip's rows by table, those that the chain made; no vectors."""
    tables = {made.step: made for top in found for made in all_made(top)}
    rows = {}
    for step, made in tables.items():
        if step == "scenes" or step.startswith("embed@"):
            row = find_row(clip, made, witnesses)
            if row:
                rows[step.partition("@")[2] or "clips"] = row
    return rows


def all_made(top: Made) -> Iterator[Made]:
    """Yield an item and every item that it was made of."""
    yield top
    for made in top.inputs.values():
        if isinstance(made, Made):
            yield from all_made(made)


def find_row(clip: int, made: Made, witnesses: Witnesses) -> dict[str, Any] | None:
    """Return the row of an item, from wherever its shard still is."""
    for path in shards(made, witnesses):
        row = read_row(path, witnesses.trailer, clip)
        if row and row["fingerprint"] == made.receipt.fingerprint:
            return row
    return None


def shards(made: Made, witnesses: Witnesses) -> Iterator[Path]:
    """Yield the shard in the work tree, in the feature store and in DVC's cache."""
    layout, out = witnesses.layout, witnesses.out(made.step)
    table = made.step.partition("@")[2] or "clips"
    name = f"{'c' if table == 'clips' else 'e'}{shard_of(witnesses.trailer)}.parquet"
    yield layout.root / out / name
    yield layout.features / table / name
    if made.commit:
        version = witnesses.history.at(made.commit.sha)
        digest = version.listing(out).get(name)
        if digest:
            yield version.object(digest)


def read_row(path: Path, trailer: str, clip: int) -> dict[str, Any] | None:
    """Return one row of a shard without its vector; None where there is none."""
    if not path.exists():
        return None
    columns = [name for name in pq.read_schema(path).names if name != "embedding"]
    rows = pq.read_table(path, columns=columns, partitioning=None).to_pylist()
    wanted = (row for row in rows if (row[ITEM], row["clip"]) == (trailer, clip))
    return next(wanted, None)
