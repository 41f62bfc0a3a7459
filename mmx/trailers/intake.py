"""Ingest: check the manifest against the files; accept each trailer or reject it with a reason."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from mmx.engine.receipt import gc_disabled
from mmx.errors import UserError
from mmx.layout import Layout
from mmx.params import CollectionParams
from mmx.project import Project, limits_of
from mmx.trailers.borrow import borrow_videos, videos_are_missing
from mmx.trailers.columns import ADDED
from mmx.trailers.genres import Genres, resolve_genres
from mmx.trailers.groups import film_groups
from mmx.trailers.inspection import inspect_files
from mmx.trailers.inspection_log import Inspection
from mmx.trailers.manifest import PARQUET_COLUMNS, ManifestRow, read_manifest
from mmx.trailers.paths import PathFault, check_kind, video_file
from mmx.trailers.returns import returned
from mmx.trailers.signature_store import SignatureStore
from mmx.trailers.tombstones import Refusals

SOURCES_SCHEMA = pa.schema(
    [
        pa.field("trailer_id", pa.string(), nullable=False),
        pa.field("video", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("video_digest", pa.string(), nullable=False),
        pa.field("sound_digest", pa.string(), nullable=False),
        pa.field("duration_s", pa.float64(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("fps", pa.float64(), nullable=False),
        pa.field("frames", pa.int64(), nullable=False),
        pa.field("has_audio", pa.bool_(), nullable=False),
        pa.field("container", pa.string(), nullable=False),
        pa.field("video_codec", pa.string(), nullable=False),
        pa.field("pixel_format", pa.string(), nullable=False),
        pa.field("rotation", pa.int32(), nullable=False),
        pa.field("sample_aspect", pa.string(), nullable=False),
        pa.field("interlaced", pa.bool_(), nullable=False),
        pa.field("rate", pa.string()),
        pa.field("start_s", pa.float64(), nullable=False),
        pa.field("duration_from_header", pa.float64()),
        pa.field("frames_from_header", pa.int64()),
        pa.field("audio_codec", pa.string()),
        pa.field("audio_rate", pa.int32()),
        pa.field("audio_channels", pa.int32()),
        pa.field("audio_layout", pa.string()),
        pa.field("sound_s", pa.float64(), nullable=False),
        pa.field("sound_peak", pa.float64()),
        pa.field("sound_rms", pa.float64()),
        pa.field("sound_channel_rms", pa.float64()),
        pa.field("field_order", pa.string(), nullable=False),
        pa.field("color_transfer", pa.string(), nullable=False),
        pa.field("video_stream", pa.int32(), nullable=False),
        pa.field("audio_stream", pa.int32()),
        pa.field("streams", pa.string(), nullable=False),
        pa.field("timeline", pa.string(), nullable=False),
        pa.field("concealed_pictures", pa.int64(), nullable=False),
        pa.field("concealed_sound", pa.int64(), nullable=False),
        pa.field("holes", pa.int64(), nullable=False),
        pa.field("sound_damage_known", pa.bool_()),
        pa.field("end_known", pa.bool_(), nullable=False),
    ]
)
"""Accepted trailers: their file and its technical facts, without labels."""


class IngestError(UserError):
    """The collection cannot be ingested as it is; what was read is in the cache."""


@dataclass(frozen=True)
class Ingested:
    """The two tables, each sorted by trailer_id."""

    trailers: pa.Table
    """`trailers_schema`: every row of the manifest; `reason` is empty where it is accepted."""
    sources: pa.Table
    """SOURCES_SCHEMA."""
    dropped: Counter[str]
    """Rows by genre that `collection.unknown_genres` left out of them."""


@gc_disabled()
def ingest(layout: Layout, params: CollectionParams, *, cache: Path, workers: int) -> Ingested:
    """Check every row of the manifest and every video that a valid row names.

    A row with a fault, or whose video cannot be used or kills its reader twice, is rejected with
    its reason; other rows are not affected. `cache` is a file that is rewritten: unchanged videos
    are not read again. Where tombstones have imprints of pictures, those of all videos are compared
    with them; their signatures are kept beside the cache.

    Raises:
        TableError: the manifest cannot be read.
        IngestError: a video is not the one that was pinned.
        SignatureError: a video killed its reader twice while its pictures were compared.
    """
    rows = read_manifest(layout.manifest)
    genres = {row.row: resolve_genres(row.genres, params) for row in rows}
    reasons = {row.row: "; ".join(_row_faults(row, genres[row.row], layout)) for row in rows}
    sound = [row for row in rows if not reasons[row.row]]
    limits = limits_of(params)
    files = {row.trailer_id: video_file(layout.videos, row.video) for row in sound}
    found = inspect_files(list(dict.fromkeys(files.values())), limits, cache, workers)
    inspections = {name: found[file] for name, file in files.items()}
    refusals = Refusals.of(layout)
    reasons |= _refused(sound, inspections, refusals)
    sound = [row for row in sound if not reasons[row.row]]
    _require_pinned(sound, inspections)
    store = SignatureStore(cache.with_name("signatures"), limits)
    look = partial(returned, refusals=refusals, store=store, workers=workers)
    reasons |= _encoded_anew(sound, files, inspections, look)
    sound = [row for row in sound if not reasons[row.row]]
    reasons |= {row.row: inspections[row.trailer_id].fault for row in sound}
    dropped = Counter(genre for found in genres.values() for genre in found.dropped)
    return Ingested(_trailers(rows, genres, reasons), _sources(sound, inspections), dropped)


def ingest_project(project: Project) -> Ingested:
    """Check the manifest and the videos of a project as they are now, as `ingest` does.

    Raise IngestError, besides, where the manifest pins videos and there is none at all: in a clone,
    all rows would be rejected.
    """
    borrow_videos(project)
    if videos_are_missing(project.layout.manifest, project.layout.videos):
        raise IngestError(
            "data/videos has none of the videos that data/trailers.csv names: `mmx init` links "
            "them; without them, `dvc repro --downstream train` trains on what `dvc pull` brought"
        )
    return ingest(
        project.layout,
        project.params.collection,
        cache=project.inspections,
        workers=project.workers,
    )


def _refused(
    rows: Iterable[ManifestRow], inspections: Mapping[str, Inspection], refusals: Refusals
) -> dict[int, str]:
    """Return why rows of trailers that were taken out are refused, by the row's number."""
    reasons = {}
    for row in rows:
        found = inspections.get(row.trailer_id)
        facts = (found.facts or {}) if found else {}
        # Not the sound's digest: films that differ may be silent alike.
        known = [row.sha256, facts.get("video_digest", ""), found.sha256 if found else ""]
        reasons[row.row] = refusals.reason(row.trailer_id, row.url, known)
    return {row: reason for row, reason in reasons.items() if reason}


def _encoded_anew(
    rows: Sequence[ManifestRow],
    files: Mapping[str, Path],
    inspections: Mapping[str, Inspection],
    look: Callable[[Mapping[str, Path]], Mapping[str, str]],
) -> dict[int, str]:
    """Return why rows are refused whose pictures are those of trailers that were taken out.

    look: `returned`, of videos by the digest of their pictures.
    """
    found = {row.row: inspections[row.trailer_id].facts for row in rows}
    pictures = {row: facts["video_digest"] for row, facts in found.items() if facts}
    videos = {pictures[row.row]: files[row.trailer_id] for row in rows if row.row in pictures}
    reasons = look(videos)
    return {row: reasons[digest] for row, digest in pictures.items() if digest in reasons}


def _row_faults(row: ManifestRow, genres: Genres, layout: Layout) -> list[str]:
    """Return everything that is wrong with a row, without reading its video."""
    faults = [*row.faults, *(genres.faults if row.genres else ())]
    if faults:
        return faults
    try:
        check_kind(video_file(layout.videos, row.video), row.video)
    except PathFault as fault:
        return [str(fault)]
    return [] if row.sha256 else [f"no sha256 is pinned: run `mmx accept {row.trailer_id}`"]


def _require_pinned(rows: Iterable[ManifestRow], inspections: Mapping[str, Inspection]) -> None:
    changed = [row.trailer_id for row in rows if inspections[row.trailer_id].sha256 != row.sha256]
    if changed:
        raise IngestError(
            f"the video of {_names(changed)} has other bytes than were pinned: put the old file "
            f"back, or run `mmx accept {' '.join(changed[:3])}` if it replaces it"
        )


def _names(trailer_ids: Sequence[str]) -> str:
    """Return the first three ids and how many more there are."""
    more = f" and {len(trailer_ids) - 3} more" if len(trailer_ids) > 3 else ""
    return ", ".join(trailer_ids[:3]) + more


def trailers_schema(added: Iterable[str] = ()) -> pa.Schema:
    """Return the columns of trailers.parquet: mmx's own, then those that a team has added."""
    columns = {**PARQUET_COLUMNS, **dict.fromkeys(added, ADDED)}
    return pa.schema(
        pa.field(name, column.type, nullable=column.nullable) for name, column in columns.items()
    )


def _trailers(
    rows: Sequence[ManifestRow], genres: Mapping[int, Genres], reasons: Mapping[int, str]
) -> pa.Table:
    groups = film_groups(rows)

    def columns(row: ManifestRow) -> dict[str, object]:
        reason = reasons[row.row]
        read = {
            "group_id": groups[row.trailer_id],
            "genres": row.genres if reason else genres[row.row].known,
            "video": f"videos/{row.video}",
            "status": "rejected" if reason else "accepted",
            "reason": reason,
        }
        return {**vars(row), **read, **row.added}

    ordered = sorted(rows, key=lambda row: (row.trailer_id, row.row))
    schema = trailers_schema(dict.fromkeys(name for row in rows for name in row.added))
    return pa.Table.from_pylist([columns(row) for row in ordered], schema)


def _source_row(trailer_id: str, video: str, found: Inspection) -> dict[str, Any]:
    """Return the row of SOURCES_SCHEMA of an accepted trailer; `video` is below data/videos."""
    own = {"trailer_id": trailer_id, "video": f"videos/{video}"}
    return {**own, "sha256": found.sha256, "size": found.size, **(found.facts or {})}


def _sources(rows: Iterable[ManifestRow], inspections: Mapping[str, Inspection]) -> pa.Table:
    found = [
        _source_row(row.trailer_id, row.video, inspections[row.trailer_id])
        for row in sorted(rows, key=lambda row: row.trailer_id)
        if inspections[row.trailer_id].facts
    ]
    return pa.Table.from_pylist(found, SOURCES_SCHEMA)
