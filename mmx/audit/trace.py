"""From a row back to the bytes of its video: which item made it, its inputs, when and where."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from mmx.acquisition.ledger import origins
from mmx.dvc_state.history import Commit, History, HistoryError
from mmx.engine.parquet import refuse_pipe
from mmx.engine.receipt import Ingredients, Receipt
from mmx.errors import UserError, require_output
from mmx.experts.registry import get_expert
from mmx.features.read import read_table
from mmx.features.receipts import receipt_of
from mmx.features.schema import RECEIPTS_FILE
from mmx.layout import Layout
from mmx.outputs import ITEM, Output, count_among, count_in, receipts_name, valid_receipts
from mmx.pipeline.registry import known_step
from mmx.pipeline.step import SOUND, VIDEO, ItemStep, parameters_of
from mmx.project import Project
from mmx.steps.embed import step_name


class TraceError(UserError):
    """There is no such row, neither now nor in any version that git and DVC have."""


@dataclass(frozen=True)
class Video:
    """The video at the end of a chain."""

    digest: str
    """The digest in the receipt: of the pictures or of the sound of the video."""
    sha256: str
    """Of the file; empty if no table names a file with this digest."""
    path: str
    """Relative to data/; empty if no table names a file with this digest."""
    url: str = ""
    """Where it came from; empty if neither the ledger of `mmx fetch` nor the manifest says so."""
    fetched: str = ""
    """When, UTC; empty if `mmx fetch` did not bring it."""


@dataclass(frozen=True)
class UnknownInput:
    """An input of which only the digest is known."""

    step: str
    digest: str


@dataclass(frozen=True)
class TracedItem:
    """One item of the chain."""

    receipt: Receipt
    table: str
    """Name of the table with its rows in the feature store; empty for a step without rows."""
    inputs: dict[str, "TracedItem | Video | UnknownInput"]
    """By role, as the receipt names them."""
    commit: Commit | None
    """The commit that added it; None if it was never committed, or without git."""
    runs: tuple[dict[str, Any], ...]
    """Entries of the journal, oldest first: when, where, how long. Empty elsewhere."""
    changed: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    """Parameters whose value in params.yaml has changed since: (then, now)."""

    @property
    def step(self) -> str:
        """Name of the step."""
        return self.receipt.ingredients.step


@dataclass(frozen=True)
class Trace:
    """The trace of one row of a trailer, or of all its rows."""

    trailer: str
    clip: int | None
    rows: dict[str, dict[str, Any]]
    """The row itself by table, without its vector; empty if no clip is asked for."""
    chains: tuple[TracedItem, ...]
    """One per expert asked for, or that of the clips if no expert has any."""


@dataclass(frozen=True)
class Records:
    """All places where receipts of a trailer may be, the present ones first."""

    project: Project
    trailer: str

    @property
    def layout(self) -> Layout:
        """The project's layout."""
        return self.project.layout

    @cached_property
    def history(self) -> History:
        """The versions in git and DVC."""
        return History(self.layout.root)

    @cached_property
    def published(self) -> list[Receipt]:
        """The trailer's receipts in the feature store: the only ones if just that was published."""
        path = self.layout.features / RECEIPTS_FILE
        rows = pq.read_table(path).to_pylist() if path.exists() else []
        return [receipt_of(row) for row in rows if self.trailer in row["trailers"]]

    def step(self, name: str) -> ItemStep | None:
        """Return the step of this name that has receipts; None if there is none."""
        step = known_step(name, self.project.params)
        return step if isinstance(step, ItemStep) else None

    def output(self, name: str) -> Output | None:
        """Return the output of a step; None for an unknown step."""
        step = self.step(name)
        return step.output if step else None

    def receipts(self, step: str) -> Iterator[Receipt]:
        """Yield the trailer's receipts of a step: present, published, of earlier versions."""
        output = self.output(step)
        if output:
            out = output.path(self.layout.root)
            present = valid_receipts(out / receipts_name(self.trailer, count_in(out)))
            yield from (receipt for item, receipt in present.items() if item == self.trailer)
        yield from (found for found in self.published if found.ingredients.step == step)
        if output:
            yield from (receipt for _, receipt in self.earlier(output))

    def earlier(self, output: Output) -> Iterator[tuple[Commit | None, Receipt]]:
        """Yield the trailer's receipts in the versions of an output, each with its commit.

        Newest first; versions that DVC's cache lacks are left out.
        """
        for version in self.history.versions(output.folder):
            try:
                found = version.receipt(output.folder, self.trailer)
            except HistoryError:
                continue
            if found:
                yield version.commit, found

    def commit(self, receipt: Receipt) -> Commit | None:
        """Return the commit that added an item: the oldest whose output has its fingerprint."""
        output = self.output(receipt.ingredients.step)
        found = self.earlier(output) if output else ()
        same = [commit for commit, old in found if old.fingerprint == receipt.fingerprint]
        return same[-1] if same else None

    def runs(self, receipt: Receipt) -> tuple[dict[str, Any], ...]:
        """Return the journal's entries about an item."""
        made = receipt.adopted.fingerprint if receipt.adopted else receipt.fingerprint
        entries = self.project.store.journal(receipt.ingredients.step)
        return tuple(entry for entry in entries if entry.get("fingerprint") == made)

    @cached_property
    def videos(self) -> dict[str, Video]:
        """Accepted videos by every digest that receipts may use for them."""
        found: dict[str, Video] = {}
        fetched, addresses = origins(self.layout.root), _addresses(self.layout)
        for row in self.video_rows():
            sha256 = row["sha256"]
            origin = fetched.get(sha256)
            url, day = (origin.url, origin.date) if origin else (addresses.get(sha256, ""), "")
            for digest in (row["video_digest"], row["sound_digest"], sha256):
                found[digest] = Video(digest, sha256, row["video"], url, day)
        return found

    def video_rows(self) -> list[dict[str, str]]:
        """Return digests and path of each video; without sources.parquet no path is known."""
        if self.layout.sources.exists():
            columns = ["sha256", "video", "video_digest", "sound_digest"]
            table = pq.read_table(self.layout.sources, columns=columns)
            rows: list[dict[str, str]] = table.to_pylist()
            return rows
        published = self.layout.features / "trailers"
        if not published.is_dir():
            return []
        columns = ["video_sha256", "video_digest", "sound_digest"]
        rows = read_table(published, columns=columns).to_pylist()
        return [{**row, "sha256": row["video_sha256"], "video": ""} for row in rows]


def _addresses(layout: Layout) -> dict[str, str]:
    """Return what the manifest gives as a video's address, by the video's sha256."""
    # Imported here: a release that was only published has no manifest.
    from mmx.trailers.manifest import read_records

    if not layout.manifest.exists():
        return {}
    rows = (record.values for record in read_records(layout.manifest).records)
    return {row["sha256"].lower(): row.get("url", "") for row in rows}


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
    fingerprint: an earlier version of the row, by the first digits of its fingerprint, searched in
    all versions that git and DVC have. Raise TraceError if there is no such row.
    """
    records = Records(project, trailer)
    experts = [expert] if expert else sorted(project.params.embed.experts)
    steps = [step_name(name) for name in experts]
    chains = [chain(step, records, fingerprint) for step in steps]
    found = [made for made in chains if made]
    if not found and not expert:
        scenes = chain("scenes", records, fingerprint)
        found = [scenes] if scenes else []
    if not found:
        _require_known(project, trailer)
        if expert:
            get_expert(expert)
        raise TraceError(_no_such_row(trailer, expert, fingerprint))
    rows = {} if clip is None else clip_rows(clip, found, records)
    if clip is not None and not rows:
        raise TraceError(f"{trailer} has no clip {clip}")
    return Trace(trailer, clip, rows, tuple(found))


def _require_known(project: Project, trailer: str) -> None:
    """Raise TableError for a trailer that the manifest, if there is one, does not have."""
    # Imported here: most traces find their rows.
    from mmx.trailers.manifest import find_record, read_records

    manifest = project.layout.manifest
    if manifest.exists():
        find_record(manifest.name, read_records(manifest), trailer)
    elif not project.layout.sources.exists():
        require_output(project.layout.root, "data/trailers.csv")
    require_output(project.layout.root, "data/sources.parquet")


def _no_such_row(trailer: str, expert: str | None, fingerprint: str | None) -> str:
    """Return the message for a row of which no receipt was found."""
    what = f"rows of {expert}" if expert else "rows"
    if fingerprint:
        return f"{trailer} has no {what} with fingerprint {fingerprint}, now or in any commit"
    return f"{trailer} has no {what}: see `mmx status` for the state of its steps"


def chain(step: str, records: Records, fingerprint: str | None = None) -> TracedItem | None:
    """Return the item of a step with its inputs; None without a receipt."""
    for receipt in records.receipts(step):
        if fingerprint is None or receipt.fingerprint.startswith(fingerprint):
            return explain(receipt, records)
    return None


def explain(receipt: Receipt, records: Records) -> TracedItem:
    """Follow a receipt's inputs down to the video."""
    made_of = receipt.ingredients
    inputs = {role: follow(role, digest, records) for role, digest in made_of.inputs.items()}
    changed = _changed_parameters(made_of, records)
    output = records.output(made_of.step)
    table = output.table if output else ""
    return TracedItem(
        receipt, table, inputs, records.commit(receipt), records.runs(receipt), changed
    )


def _changed_parameters(made_of: Ingredients, records: Records) -> dict[str, tuple[Any, Any]]:
    """Return (then, now) of each parameter whose value in params.yaml has changed since.

    None stands for a missing value, also of an expert that is no longer listed.
    """
    step = records.step(made_of.step)
    try:
        now = parameters_of(step, records.project.params) if step else {}
        then = step.normalise(made_of.parameters) if step else made_of.parameters
    except KeyError:
        now, then = {}, made_of.parameters
    keys = sorted(then.keys() | now.keys())
    return {key: (then.get(key), now.get(key)) for key in keys if then.get(key) != now.get(key)}


def follow(role: str, digest: str, records: Records) -> TracedItem | Video | UnknownInput:
    """Return an input: the video, or the item whose output has this digest."""
    if role in (VIDEO, SOUND):
        return records.videos.get(digest, Video(digest, "", ""))
    for receipt in records.receipts(role):
        if receipt.output_digest == digest:
            return explain(receipt, records)
    return UnknownInput(role, digest)


def clip_rows(clip: int, found: list[TracedItem], records: Records) -> dict[str, dict[str, Any]]:
    """Return the rows of one clip by table, as the items of the chain made them; no vectors."""
    tables = {made.table: made for top in found for made in all_items(top) if made.table}
    rows = {}
    for table, made in tables.items():
        row = _find_row(clip, made, records)
        if row:
            rows[table] = row
    return rows


def all_items(top: TracedItem) -> Iterator[TracedItem]:
    """Yield an item and all items that it depends on."""
    yield top
    for made in top.inputs.values():
        if isinstance(made, TracedItem):
            yield from all_items(made)


def _find_row(clip: int, made: TracedItem, records: Records) -> dict[str, Any] | None:
    """Return a row of an item, from any place that still has its shard."""
    for path in shards(made, records):
        row = _read_row(path, records.trailer, clip)
        if row and row["fingerprint"] == made.receipt.fingerprint:
            return row
    return None


def shards(made: TracedItem, records: Records) -> Iterator[Path]:
    """Yield the shard in the work tree, in the feature store and in DVC's cache."""
    layout, output = records.layout, records.output(made.step)
    if output is None:
        return
    own, out = {records.trailer: made.receipt}, output.path(layout.root)
    for name in output.names(own, count_in(out)):
        yield out / name
        yield layout.features / made.table / name
    if made.commit:
        version = records.history.at(made.commit.sha)
        for name in output.names(own, count_among(version.listing(output.folder))):
            cached = version.file(output.folder, name)
            yield from [cached] if cached else []


def _read_row(path: Path, trailer: str, clip: int) -> dict[str, Any] | None:
    """Return one row of a shard without its vector; None if there is none."""
    if not path.exists():
        return None
    refuse_pipe(path)
    columns = [name for name in pq.read_schema(path).names if name != "embedding"]
    rows = pq.read_table(path, columns=columns, partitioning=None).to_pylist()
    wanted = (row for row in rows if (row[ITEM], row["clip"]) == (trailer, clip))
    return next(wanted, None)
