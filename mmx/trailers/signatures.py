"""The signatures of a collection's videos, each read once and kept in the item store's folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mmx.engine.atomic import write_atomic
from mmx.engine.canonical import bytes_digest
from mmx.engine.code import code_digest
from mmx.engine.parquet import read_parquet
from mmx.engine.pools.local import Lost, map_items
from mmx.engine.progress import ItemProgress
from mmx.errors import UserError
from mmx.media.faults import Limits
from mmx.project import Project
from mmx.trailers.csvfile import TableError
from mmx.trailers.duplicates import Pair, near_duplicates, proposed_groups, same_digests
from mmx.trailers.groups import film_groups
from mmx.trailers.manifest import read_manifest, read_records, write_records
from mmx.trailers.signature import Signature, read_signature


class SignatureError(UserError):
    """A video killed its reader twice."""


@dataclass(frozen=True)
class Duplicates:
    """What `find_duplicates` found."""

    pairs: tuple[Pair, ...]
    groups: dict[str, str]
    """The group_id that is proposed for each trailer that has another one now."""


def find_duplicates(project: Project) -> Duplicates:
    """Compare all accepted videos with each other, and propose groups.

    Raises:
        TableError: the manifest cannot be read.
        SignatureError: a video killed its reader twice.
    """
    columns = ["trailer_id", "video", "sha256", "video_digest", "sound_digest"]
    rows = read_parquet(project.layout.sources, columns).to_pylist()
    equal = same_digests(rows)
    by_pictures = {row["video_digest"]: row for row in reversed(rows)}
    signatures = _signatures(project, list(by_pictures.values()))
    near = near_duplicates({row["trailer_id"]: signatures[row["video_digest"]] for row in rows})
    told = {(pair.first, pair.second) for pair in equal}
    pairs = [*equal, *(pair for pair in near if (pair.first, pair.second) not in told)]
    groups = film_groups(read_manifest(project.layout.manifest))
    known = [pair for pair in pairs if {pair.first, pair.second} <= groups.keys()]
    return Duplicates(tuple(pairs), proposed_groups(known, groups))


def accept_groups(manifest: Path, groups: Mapping[str, str]) -> None:
    """Write these groups into the manifest; raise TableError where a trailer is not in it."""
    table = read_records(manifest)
    missing = groups.keys() - {record.values["trailer_id"] for record in table.records}
    if missing:
        raise TableError(f"{manifest.name} has no trailer {min(missing)!r}")
    for record in table.records:
        if record.values["trailer_id"] in groups:
            record.values["group_id"] = groups[record.values["trailer_id"]]
    write_records(manifest, table.columns, [record.values for record in table.records])


def _signatures(project: Project, rows: Sequence[Mapping[str, Any]]) -> dict[str, Signature]:
    """Return the signature of each video by the digest of its pictures."""
    stamp = code_digest(["mmx.media", "mmx.trailers.signature"])[:16]
    folder = project.store.root / "signatures" / stamp
    found = {row["video_digest"]: _kept(folder / row["video_digest"]) for row in rows}
    unread = [row for row in rows if found[row["video_digest"]] is None]
    jobs = [(row["video_digest"], project.layout.data / row["video"]) for row in unread]
    with ItemProgress("duplicates", len(rows)) as progress:
        progress.count(reused=len(rows) - len(jobs))
        read = partial(_read_all, folder=folder, limits=project.limits)
        for done, results in map_items(read, jobs, workers=project.workers):
            if isinstance(results, Lost):
                raise SignatureError(f"reading {results.job[1].name} killed its process twice")
            found.update(zip((digest for digest, _ in done), results, strict=True))
            progress.count(computed=len(done))
    return {digest: signature for digest, signature in found.items() if signature}


def _kept(path: Path) -> Signature | None:
    """Return a kept signature, if there is one and it is whole."""
    try:
        digest, _, packed = path.read_text(encoding="ascii").partition(" ")
    except (FileNotFoundError, ValueError):
        return None
    return Signature.unpack(packed) if bytes_digest(packed.encode()) == digest else None


def _read_all(jobs: Sequence[tuple[str, Path]], folder: Path, limits: Limits) -> list[Signature]:
    return [_read(folder / digest, video, limits) for digest, video in jobs]


def _read(kept: Path, video: Path, limits: Limits) -> Signature:
    packed = read_signature(video, limits).pack()
    content = packed.encode()
    write_atomic(kept, f"{bytes_digest(content)} {packed}".encode())
    # As it is read back, so that a kept signature and a new one compare alike.
    return Signature.unpack(packed)
