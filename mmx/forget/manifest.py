"""The manifest, the ledgers beside it, and the videos or the links to them."""

import csv
import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from mmx.engine.atomic import write_atomic
from mmx.forget.certificate import Removal
from mmx.forget.traces import Traces
from mmx.layout import Layout
from mmx.trailers.csvfile import TableError, restore
from mmx.trailers.manifest import read_records

ADDRESSES = ("url", "youtube_id")
"""Columns of the manifest that say where a trailer came from."""


@dataclass(frozen=True)
class ManifestPart:
    """What the manifest says of the trailers."""

    ids: list[str] = field(default_factory=list)
    videos: list[str] = field(default_factory=list)
    """Names below data/videos."""
    pins: list[str] = field(default_factory=list)
    """sha256 of the videos; as many as `ids`, empty where none is pinned."""
    addresses: dict[str, list[str]] = field(default_factory=dict)
    """By trailer."""
    originals: list[str] = field(default_factory=list)
    """Files outside the project that links lead to."""

    @property
    def words(self) -> frozenset[str]:
        """Cells by which a row of a ledger is recognised as being about one of them."""
        addresses = chain.from_iterable(self.addresses.values())
        return frozenset((*self.ids, *self.videos, *self.pins, *addresses)) - {""}

    def pin_of(self, trailer: str) -> list[str]:
        """Return the pinned digest of a trailer's video; nothing where there is none."""
        pins = dict(zip(self.ids, self.pins, strict=True))
        return [pins[trailer]] if pins.get(trailer) else []


def rows_of(layout: Layout, ids: Sequence[str]) -> ManifestPart:
    """Return what the manifest says of trailers; nothing where it has no such rows."""
    part = ManifestPart()
    with suppress(TableError):
        for record in read_records(layout.manifest).records:
            if record.values["trailer_id"] in ids:
                _add(part, layout, record.values)
    return part


def _add(part: ManifestPart, layout: Layout, row: dict[str, str]) -> None:
    part.ids.append(row["trailer_id"])
    part.videos.append(row["video"])
    part.pins.append(row["sha256"].lower())
    part.addresses[row["trailer_id"]] = [row[name] for name in ADDRESSES if row.get(name)]
    video = layout.videos / row["video"]
    if video.is_symlink():
        part.originals.append(str(video.readlink()))


def clean_manifest(layout: Layout, part: ManifestPart, traces: Traces) -> list[Removal]:
    """Remove the trailers' rows from every table of data/, and their videos or links."""
    words = part.words | traces.ids | traces.content
    rows = sum(_drop_rows(path, words) for path in sorted(layout.data.glob("*.csv")))
    videos = sum(_drop_video(layout.videos, name) for name in _videos(layout, part, traces))
    return [
        Removal("data", "rows of tables", rows),
        Removal("data/videos", "files or links", videos),
    ]


def _drop_rows(path: Path, words: frozenset[str]) -> int:
    """Remove the rows that have one of the words as a cell; return how many."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    kept = [row for row in rows if words.isdisjoint(map(restore, row))]
    if len(kept) < len(rows):
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(kept)
        write_atomic(path, text.getvalue().encode())
    return len(rows) - len(kept)


def _videos(layout: Layout, part: ManifestPart, traces: Traces) -> set[str]:
    """Return the names of the videos: those that the manifest had, and those named by an id."""
    below = (path for path in layout.videos.rglob("*") if path.is_symlink() or path.is_file())
    named = {
        path.relative_to(layout.videos).as_posix() for path in below if traces.named_in(path.name)
    }
    return named | set(part.videos)


def _drop_video(folder: Path, name: str) -> bool:
    """Remove a video or the link to it; say whether there was one."""
    path = folder / name
    there = path.is_symlink() or path.is_file()
    path.unlink(missing_ok=True)
    return there
