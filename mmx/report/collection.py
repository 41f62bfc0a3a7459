"""The collection as the report shows it: key figures, statistics (figure 4), every trailer."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from markupsafe import Markup

from mmx.features.read import read_columns, read_table
from mmx.layout import Layout
from mmx.media.clip import Clip
from mmx.report import charts

Row = dict[str, Any]


@dataclass(frozen=True)
class Archive:
    """All data about the trailers."""

    trailers: Mapping[str, Row]
    """The accepted rows of the manifest by id: title, year, genres."""
    rejected: Sequence[Row]
    """The other rows, with their reasons, in the manifest's order."""
    facts: Mapping[str, Row]
    """Technical facts of the accepted ones by id, from the feature store."""
    clips: Mapping[str, list[Clip]]
    splits: Mapping[str, str]


def read_archive(layout: Layout) -> Archive:
    """Read trailers.parquet, the store's tables of trailers and clips, and splits.parquet."""
    rows = pq.read_table(layout.trailers).to_pylist()
    facts = read_table(layout.features / "trailers").to_pylist()
    splits = pq.read_table(layout.splits, columns=["trailer_id", "split"]).to_pylist()
    return Archive(
        trailers={row["trailer_id"]: row for row in rows if row["status"] == "accepted"},
        rejected=[row for row in rows if row["status"] != "accepted"],
        facts={row["trailer_id"]: row for row in facts},
        clips=_read_clips(layout),
        splits={row["trailer_id"]: row["split"] for row in splits},
    )


def missing_experts(
    features: Path, experts: Sequence[str], trailers: Sequence[str]
) -> list[list[int]]:
    """Return for each trailer which of the experts, by position, have no embedding of any clip."""
    having = [_trailers_in(features / name) for name in experts]
    return [[at for at, own in enumerate(having) if name not in own] for name in trailers]


def _trailers_in(table: Path) -> set[str]:
    """The trailers that a table of the store has rows of."""
    return set(read_columns(table, ["trailer_id"])["trailer_id"].unique().to_pylist())


def _read_clips(layout: Layout) -> dict[str, list[Clip]]:
    """Read every trailer's clips."""
    names = ["trailer_id", "clip", "start", "stop", "start_s", "stop_s"]
    found: dict[str, list[Clip]] = {}
    for row in read_table(layout.features / "clips", columns=names).to_pylist():
        clip = Clip(row["clip"], row["start"], row["stop"], row["start_s"], row["stop_s"])
        found.setdefault(row["trailer_id"], []).append(clip)
    return found


def key_figures(archive: Archive, genres: Sequence[str]) -> dict[str, int | float]:
    """Return counts for the collection; hours and frames are of the accepted videos."""
    facts = archive.facts.values()
    labels = [len(row["genres"]) for row in archive.trailers.values()]
    return {
        "accepted": len(archive.trailers),
        "rejected": len(archive.rejected),
        "clips": sum(map(len, archive.clips.values())),
        "frames": sum(row["frames"] or 0 for row in facts),
        "hours": sum(row["duration_s"] or 0.0 for row in facts) / 3600,
        "genres": len(genres),
        "labels": sum(labels) / max(len(labels), 1),
        "in_split": len(archive.splits),
    }


@dataclass(frozen=True)
class Statistics:
    """What figure 4 counts, on the page and as a file."""

    per_genre: Mapping[str, int]
    """Trailers by genre, 0 for one that none has."""
    years: Sequence[int]
    """Of the trailers of which the year is known."""
    seconds: Sequence[float]
    """Length of each trailer of which it is known."""
    clips: Sequence[int]
    """Of each trailer."""


def count(archive: Archive, genres: Sequence[str]) -> Statistics:
    """Return the figures of a collection with a vocabulary of genres."""
    rows, facts = archive.trailers.values(), archive.facts.values()
    counts = Counter(genre for row in rows for genre in row["genres"])
    return Statistics(
        per_genre={genre: counts[genre] for genre in genres},
        years=_known(row["year"] for row in rows),
        seconds=_known(row["duration_s"] for row in facts),
        clips=_known(row["n_clips"] for row in facts),
    )


def _known(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def statistics(archive: Archive, genres: Sequence[str]) -> list[tuple[str, Markup]]:
    """Return figure 4: each a caption and a chart."""
    found = count(archive, genres)
    per_genre = found.per_genre
    ranked = sorted(genres, key=lambda genre: (-per_genre[genre], genre))
    labels = Counter(len(row["genres"]) for row in archive.trailers.values())
    sizes = range(1, max(labels, default=1) + 1)
    return [
        (
            "Trailers per genre; one trailer counts for each of its genres",
            charts.columns(ranked, [per_genre[g] for g in ranked], title="Trailers per genre"),
        ),
        (
            "Genres per trailer",
            charts.columns(
                [str(n) for n in sizes], [labels[n] for n in sizes], title="Genres per trailer"
            ),
        ),
        (
            "Year of release",
            _histogram(found.years, "Year of release", whole=True),
        ),
        (
            "Length of a trailer in seconds",
            _histogram(found.seconds, "Length"),
        ),
        (
            "Clips per trailer, first and last dropped",
            _histogram(found.clips, "Clips", whole=True),
        ),
        (
            "Length of a clip in seconds, log scale",
            _log_histogram(
                [c.stop_s - c.start_s for clips in archive.clips.values() for c in clips]
            ),
        ),
    ]


def listing(archive: Archive) -> list[Row]:
    """Return one row per accepted trailer for the report's list."""
    return [
        {
            **row,
            "clips": len(archive.clips.get(name, ())),
            "seconds": archive.facts.get(name, {}).get("duration_s"),
            "split": archive.splits.get(name),
        }
        for name, row in archive.trailers.items()
    ]


def _histogram(values: Sequence[float], title: str, whole: bool = False) -> Markup:
    """Count values in at most 14 equal bins with round borders."""
    if not values:
        return Markup()
    low, high = float(min(values)), float(max(values))
    marks = charts.ticks(low, max(high, low + 1), 12)
    step = marks[1] - marks[0] if len(marks) > 1 else 1.0
    step = max(step, 1.0) if whole else step
    edges = np.arange(np.floor(low / step), np.floor(high / step) + 2) * step
    counts, _ = np.histogram(values, edges)
    names = [f"{edge:g}" if whole and step == 1 else f"{edge:g}–" for edge in edges[:-1]]
    return charts.columns(names, counts.tolist(), title=title)


def _log_histogram(seconds: Sequence[float]) -> Markup:
    """Count lengths in bins of doubling width."""
    if not seconds:
        return Markup()
    edges = [0.0, *(2.0**power for power in range(-2, 7)), np.inf]
    counts, _ = np.histogram(seconds, edges)
    names = [f"< {edges[1]:g}", *(f"{edge:g}–" for edge in edges[1:-1])]
    return charts.columns(names, counts.tolist(), title="Length of a clip")
