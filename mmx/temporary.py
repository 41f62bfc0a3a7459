"""A project in a temporary folder, to run the steps on videos without touching the real one."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from mmx.engine.parquet import write_parquet
from mmx.outputs import ITEM
from mmx.project import Project
from mmx.trailers.intake import SOURCES_SCHEMA


@dataclass(frozen=True)
class Source:
    """One video that the steps of a temporary project are to read."""

    trailer: str
    """trailer_id in the temporary project."""
    video: Path
    about: Mapping[str, Any] = field(default_factory=dict)
    """Other columns of sources.parquet, `sha256` among them; the same columns for every video."""


@contextmanager
def temporary_project(project: Project, sources: Iterable[Source]) -> Iterator[Project]:
    """Yield a project with these videos as its only trailers and no outputs yet.

    It has the parameters of `project`, copies of its tools.yaml and weights.lock.yaml where there
    are any, and a store of its own. It is deleted afterwards; the videos are only linked.
    """
    with tempfile.TemporaryDirectory(prefix="mmx-") as folder:
        aside = project.at(Path(folder))
        aside.layout.videos.mkdir(parents=True)
        rows = [_link_video(source, number, aside) for number, source in enumerate(sources)]
        write_sources(rows, aside.layout.sources)
        for name in ("tools", "weights_lock"):
            _copy_if_there(getattr(project.layout, name), getattr(aside.layout, name))
        yield aside


def _link_video(source: Source, number: int, aside: Project) -> dict[str, Any]:
    """Link a video into a temporary project and return its row of sources.parquet."""
    link = aside.layout.videos / f"{number}{source.video.suffix}"
    link.symlink_to(source.video.resolve())
    video = link.relative_to(aside.layout.data).as_posix()
    return {ITEM: source.trailer, "video": video, **source.about}


def write_sources(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write sources.parquet with the columns that the rows have."""
    given = [field for field in SOURCES_SCHEMA if all(field.name in row for row in rows)]
    write_parquet(pa.Table.from_pylist(rows, pa.schema(given)), path)


def _copy_if_there(source: Path, target: Path) -> None:
    """Copy a file, if it exists, and create the folder that it goes to."""
    if source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
