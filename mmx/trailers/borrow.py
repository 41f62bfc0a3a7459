"""Videos for another checkout of a project: links to those of the project it was made from."""

import shutil
from contextlib import suppress
from pathlib import Path

from mmx.layout import find_main
from mmx.project import Project
from mmx.trailers.csvfile import TableError
from mmx.trailers.manifest import ManifestRow, read_manifest
from mmx.trailers.paths import PathFault, link, video_file


def borrow_videos(project: Project) -> None:
    """Link the videos that a git worktree, or an experiment in a temporary folder, lacks.

    The record of what ingest found in them is copied, too, so that none is read again. Nothing is
    done in a project that is no other checkout, and nothing for videos that are there.
    """
    main = find_main(project.layout.root)
    if main is None:
        return
    for row in _pinned_rows(project.layout.manifest):
        if not _is_present(project.layout.videos, row):
            with suppress(PathFault):
                source = video_file(main / "data" / "videos", row.video)
                link(source.resolve(), project.layout.videos, row.video)
    _copy_inspections(main / ".mmx" / project.inspections.name, project.inspections)


def _copy_inspections(source: Path, target: Path) -> None:
    if source.exists() and not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _pinned_rows(manifest: Path) -> list[ManifestRow]:
    """Return the rows whose video was there once, so that it has a pin; none without a manifest."""
    try:
        return [row for row in read_manifest(manifest) if row.sha256]
    except TableError:
        return []


def _is_present(videos: Path, row: ManifestRow) -> bool:
    """Say whether a row's video is in the folder `videos`."""
    try:
        video_file(videos, row.video)
    except PathFault:
        return False
    return True


def videos_are_missing(manifest: Path, videos: Path) -> bool:
    """Say whether the manifest pins videos and not one of them is there: a clone without them."""
    rows = _pinned_rows(manifest)
    return bool(rows) and not any(_is_present(videos, row) for row in rows)
