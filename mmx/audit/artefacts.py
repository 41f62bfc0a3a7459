"""The expected digest of every file, and where it was recorded.

The records are independent of each other: digests pinned in the manifest, receipts, names of
content-addressed files in the store and in DVC's cache, and dvc.lock. DVC's database of hashes and
file times are not used.
"""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mmx.dvc_state.cache import DIRECTORY, content_md5
from mmx.dvc_state.history import History, HistoryError, Version
from mmx.engine.receipt import Receipt
from mmx.layout import Layout
from mmx.outputs import ITEM, count_in
from mmx.pipeline.registry import steps_with_results
from mmx.pipeline.step import ItemStep
from mmx.project import Project
from mmx.trailers.csvfile import TableError
from mmx.trailers.manifest import ManifestRow, read_manifest
from mmx.trailers.paths import PathFault, video_file

CHUNK = 1 << 20


@dataclass(frozen=True)
class Expected:
    """The digest of one file by one record."""

    path: Path
    digest: str
    """sha256 (64 hexadecimal digits) or md5 (32)."""
    recorded_by: str
    """Where the digest was recorded, in words."""
    size: int | None = None
    """Size in bytes, if it was recorded."""
    restore: str = ""
    """How to restore a file that no step can make again: a video, or the split."""

    @property
    def algorithm(self) -> str:
        """How the digest is computed."""
        return "sha256" if len(self.digest) == 64 else "md5"


@dataclass(frozen=True)
class Tree:
    """The files of a project that are verified."""

    project: Project

    @property
    def root(self) -> Path:
        """Top folder of the project."""
        return self.project.layout.root

    @cached_property
    def history(self) -> History:
        """The versions in git and DVC."""
        return History(self.root)

    @cached_property
    def version(self) -> Version | None:
        """The version that dvc.lock names."""
        return self.history.now

    @cached_property
    def steps(self) -> list[ItemStep]:
        """Every step that has receipts, whether or not it has run."""
        return steps_with_results(self.project)

    def out(self, step: ItemStep) -> Path:
        """A step's output directory."""
        return step.output.path(self.root)

    def shards(self, step: str) -> int:
        """Return the number of shards of a step's output directory."""
        return self._counts[step]

    @cached_property
    def _counts(self) -> dict[str, int]:
        return {step.name: count_in(self.out(step)) for step in self.steps}

    def locked(self, step: ItemStep) -> dict[Path, str]:
        """Return the md5 of every file of a step's output directory that DVC's listing has."""
        out = self.out(step)
        try:
            listing = self.version.listing(step.output.folder) if self.version else {}
        except HistoryError:
            return {}
        return {out / name: md5 for name, md5 in listing.items()}

    @cached_property
    def sources(self) -> dict[str, dict[str, Any]] | None:
        """Row of sources.parquet by trailer; None where it is missing or cannot be trusted."""
        path = self.project.layout.sources
        locked = self.version.outs.get(self.name(path)) if self.version else None
        try:
            if locked and file_digests(path, {"md5"})["md5"] != locked:
                return None
            return {row[ITEM]: row for row in pq.read_table(path).to_pylist()}
        except (pa.ArrowException, OSError):
            return None

    def name(self, path: Path) -> str:
        """A path, relative to the project if it is inside."""
        return (
            path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)
        )


def all_expected(tree: Tree, receipts: dict[str, dict[str, Receipt]]) -> Iterator[Expected]:
    """Yield every record of every file. receipts: by step and item."""
    yield from _expected_videos(tree)
    for step in tree.steps:
        yield from _expected_outputs(tree, step, receipts.get(step.name, {}))
    yield from _expected_locked(tree)
    yield from _expected_objects(tree)


def _expected_videos(tree: Tree) -> Iterator[Expected]:
    """Yield the pinned digest of every accepted video.

    If sources.parquet cannot be trusted, the manifest is used, which may name videos that were
    rejected because they are missing.
    """
    rows = _manifest_rows(tree.project.layout)
    if tree.sources is None:
        for row in rows:
            with suppress(PathFault):
                path = video_file(tree.project.layout.videos, row.video)
                how = how_to_restore(path, row.url)
                yield Expected(path, row.sha256, _pin_of(row.trailer_id), restore=how)
        return
    addresses = {row.trailer_id: row.url for row in rows}
    for trailer, source in tree.sources.items():
        path = tree.project.layout.data / source["video"]
        how = how_to_restore(path, addresses.get(trailer, ""))
        yield Expected(path, source["sha256"], _pin_of(trailer), source.get("size"), how)


def _pin_of(trailer: str) -> str:
    """Name the record of a video's digest."""
    return f"the manifest's pin of {trailer}"


def how_to_restore(video: Path, address: str) -> str:
    """Return how to restore a video, in a few words."""
    if address:
        return f"get it from {address}"
    if video.is_symlink():
        return f"put the original back at {video.readlink()}"
    return "put the original back"


def _manifest_rows(layout: Layout) -> list[ManifestRow]:
    """Return the rows of the manifest that pin a video; none if it cannot be read."""
    try:
        return [row for row in read_manifest(layout.manifest) if row.sha256]
    except (OSError, TableError):
        return []


def _expected_outputs(
    tree: Tree, step: ItemStep, receipts: dict[str, Receipt]
) -> Iterator[Expected]:
    """Yield the files of a step by its receipts; rows in shards are compared in verify.py."""
    out = tree.out(step)
    for item, receipt in receipts.items():
        recorded_by = f"the receipt of {step.name} for {item}"
        for name, output in step.output.own_files(item, receipt).items():
            yield Expected(out / name, output.sha256, recorded_by, output.size)


def _expected_locked(tree: Tree) -> Iterator[Expected]:
    """Yield every file of every output by dvc.lock."""
    version = tree.version
    if version is None:
        return
    for out, digest in sorted(version.outs.items()):
        path = tree.root / out
        if not digest.endswith(DIRECTORY):
            kept = path == tree.project.layout.splits
            how = f"put a copy back under every name, or delete them and `dvc pull {out}`"
            yield Expected(path, digest, "dvc.lock", restore=how if kept else "")
            continue
        try:
            listing = version.listing(out)
        except HistoryError:
            continue
        for name, md5 in listing.items():
            yield Expected(path / name, md5, "dvc.lock")


def _expected_objects(tree: Tree) -> Iterator[Expected]:
    """Yield the objects of the store and of DVC's cache, by the digests in their names."""
    for path in sorted(tree.project.store.root.glob("objects/??/*")):
        yield Expected(path, path.name, "its file name")
    cache = tree.history.cache
    if cache is None:
        return
    for path in cache.objects():
        yield Expected(path, content_md5(path), "its file name")


def file_digests(path: Path, algorithms: set[str]) -> dict[str, str]:
    """Read a file once and return the digests asked for; empty ones of what is no file."""
    if not path.is_file():
        return dict.fromkeys(algorithms, "")
    states = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            for state in states.values():
                state.update(chunk)
    return {name: state.hexdigest() for name, state in states.items()}
