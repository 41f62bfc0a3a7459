"""The films of a project that are there more than once, and their groups in its manifest."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmx.engine.parquet import read_parquet
from mmx.project import Project
from mmx.trailers.csvfile import TableError
from mmx.trailers.duplicates import Pair, near_duplicates, proposed_groups, same_digests
from mmx.trailers.groups import film_groups
from mmx.trailers.manifest import read_manifest, read_records, write_records
from mmx.trailers.pairs_table import write_pairs
from mmx.trailers.signature_store import SignatureStore


@dataclass(frozen=True)
class Duplicates:
    """What `find_duplicates` found."""

    pairs: tuple[Pair, ...]
    groups: dict[str, str]
    """The group_id that is proposed for each trailer that has another one now."""


def find_duplicates(project: Project) -> Duplicates:
    """Compare all accepted videos with each other, write data/duplicates.csv, and propose groups.

    Raises:
        TableError: the manifest cannot be read.
        SignatureError: a video killed its reader twice.
    """
    columns = ["trailer_id", "video", "sha256", "video_digest", "sound_digest"]
    rows = read_parquet(project.layout.sources, columns).to_pylist()
    equal = same_digests(rows)
    by_pictures = {row["video_digest"]: row for row in reversed(rows)}
    videos = {digest: project.layout.data / row["video"] for digest, row in by_pictures.items()}
    store = SignatureStore(project.signatures, project.limits)
    signatures = dict(store.read(videos, project.workers, "duplicates"))
    signed = {row["trailer_id"]: signatures.get(row["video_digest"]) for row in rows}
    near = near_duplicates({name: each for name, each in signed.items() if each})
    told = {(pair.first, pair.second) for pair in equal}
    pairs = [*equal, *(pair for pair in near if (pair.first, pair.second) not in told)]
    write_pairs(project.layout.duplicates, pairs)
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
