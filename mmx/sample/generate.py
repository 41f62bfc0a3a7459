"""Make the collection: videos, a table of labels as a user would write it, a table of styles."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from os import sched_getaffinity
from pathlib import Path

import cv2

from mmx.engine.pools.local import Lost, map_items
from mmx.engine.progress import ItemProgress
from mmx.errors import UserError
from mmx.sample.encode import FORMATS, encode
from mmx.sample.film import film
from mmx.sample.plan import Trailer, trailers

FEW = 1_000_000
"""Index of the first odd trailer, far from the ordinary ones."""
ODD = (("few-clips", "Few Clips"), ("cut-off", "Cut Off"), ("new-genre", "New Genre"))
"""Stem and title of the trailers with too few clips; the second one's file is cut off, too, and
the third one's genres are not all known."""
_REST = {"year": "2001", "genres": "Comedy", "group_id": "", "license": "CC0-1.0"}
LOST = (
    {"title": "A Text", "video": "a-text.mp4", **_REST},
    {"title": "Lost Reel", "video": "lost-reel.mp4", **_REST},
)
"""Rows without a video: the first one's file is a text, the second has no file."""


class SampleError(UserError):
    """The collection cannot be written to its folder."""


@dataclass(frozen=True)
class SampleReport:
    """What `generate` made."""

    videos: Path
    """Folder."""
    labels: Path
    """Table: title, year, genres, video, group_id, license."""
    styles: Path
    """Table: trailer_id (the video's stem is its own slug), style. It is in no label."""
    trailers: int
    """Valid trailers, without the faulty ones."""


def generate(folder: Path, n: int = 60, seed: int = 0, workers: int = 0) -> SampleReport:
    """Make `n` trailers and some that are wrong below `folder`; 0 workers means one per core.

    The bytes depend on `n` (a larger collection begins with a smaller one's videos) and `seed`,
    not on `workers`, on one kind of CPU with one ffmpeg. Raises SampleError if `folder` holds
    anything.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SampleError(f"{folder} is there already and not empty: name a new folder")
    report = SampleReport(folder / "videos", folder / "labels.csv", folder / "styles.csv", n)
    report.videos.mkdir(parents=True)
    planned = [*trailers(n, seed), *(_short(place, seed) for place in range(len(ODD)))]
    _make_all(planned, report.videos, seed, workers)
    rows = [*map(_label_row, planned), *LOST]
    _spoil(report.videos, rows[n:])
    _write_table(report.labels, rows)
    styles = [{"trailer_id": trailer.stem, "style": trailer.style} for trailer in planned]
    _write_table(report.styles, styles)
    return report


def _short(place: int, seed: int) -> Trailer:
    """Return a trailer of six shots, which gives too few clips."""
    stem, title = ODD[place]
    return Trailer(
        index=FEW + place,
        stem=stem,
        title=title,
        year=1999,
        genres=("Drama", "Crime"),
        style=trailers(1, seed)[0].style,
        form=FORMATS[0],
        shots=(6, 6),
    )


def _spoil(videos: Path, rows: list[dict[str, str]]) -> None:
    """Cut a file off, name a genre that no vocabulary has, call a text a video."""
    _, cut_off, new_genre, text, _ = rows
    content = (videos / cut_off["video"]).read_bytes()
    (videos / cut_off["video"]).write_bytes(content[: len(content) // 2])
    new_genre["genres"] += "|Telenovela"
    (videos / text["video"]).write_text("This is a text and no video.\n", encoding="utf-8")


def _label_row(trailer: Trailer) -> dict[str, str]:
    return {
        "title": trailer.title,
        "year": str(trailer.year),
        "genres": "|".join(trailer.genres),
        "video": trailer.video,
        "group_id": trailer.group_id,
        "license": "CC0-1.0",
    }


def _write_table(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _make_all(planned: Sequence[Trailer], videos: Path, seed: int, workers: int) -> None:
    make = partial(_make, videos=videos, seed=seed)
    workers = workers or len(sched_getaffinity(0))
    with ItemProgress("sample", len(planned)) as progress:
        for made, results in map_items(make, planned, workers=workers):
            if isinstance(results, Lost):
                raise RuntimeError(f"making {results.job.video} killed its process twice")
            progress.count(computed=len(made))


def _make(planned: Sequence[Trailer], videos: Path, seed: int) -> list[None]:
    cv2.setNumThreads(1)
    for trailer in planned:
        made = film(trailer, seed)
        encode(videos / trailer.video, trailer.form, made.pictures, made.sound)
    return [None] * len(planned)
