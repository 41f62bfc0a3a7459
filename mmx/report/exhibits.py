"""Data about single films for the report: the explorer, key frames, examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mmx.engine.names import file_name
from mmx.evaluation.item import CLIPS
from mmx.evaluation.retrieval import Neighbours
from mmx.evaluation.tables import ResultTable
from mmx.flow.sampling import evenly_spaced
from mmx.report import evidence, explorer
from mmx.report.collection import missing_experts
from mmx.report.explorer import Extras, Plane
from mmx.report.sources import Sources
from mmx.report.stills import Stills, stills_data
from mmx.stills.sheet import Cells, first_frame


@dataclass(frozen=True)
class Strip:
    """A film's most probable genres over its running time."""

    film: int
    """Its row number."""
    genres: Sequence[str]
    values: Sequence[Sequence[float]]
    """Genres x parts, 0..1."""
    spans: Sequence[float]
    """The (parts + 1) borders, seconds."""


SPACES = {"coarse": "coarse", "fine": "fine-tuned"}
"""Prefix of columns of explorer.parquet, and name on the page."""
Pictures = Mapping[int, NDArray[np.uint8]]
"""First still, H x W x 3, RGB, by row of the film."""


def find_stills(sources: Sources) -> Stills:
    """Return the sheets that the stills step made of the films."""
    params, clips = sources.params.evaluate, sources.archive.clips
    folder = sources.layout.stills
    paths = {at: folder / f"{file_name(name)}.webp" for at, name in enumerate(sources.ids)}
    found = {at: path for at, path in paths.items() if path.is_file()}
    shown = {at: min(len(clips.get(sources.ids[at], ())), params.key_frames) for at in found}
    return Stills(found, shown, Cells(params.frame_width, params.preview_frames))


def take_pictures(sources: Sources, stills: Stills) -> Pictures:
    """Return the first still of evenly spaced trailers and of those in retrieval examples."""
    chosen = pictured(sources) if sources.params.evaluate.pictured else []
    found = {at: first_frame(stills.files[at], stills.cells) for at in chosen if at in stills.files}
    return {at: image for at, image in found.items() if image is not None}


def pictured(sources: Sources) -> list[int]:
    """Return the trailers to be shown with pictures, in order."""
    retrieved = {
        film
        for row in retrievals(sources)
        for film in (row["query"], *(near for name in SPACES for near in row[name]))
    }
    evenly = evenly_spaced(len(sources.ids), sources.params.evaluate.pictured)
    return sorted(retrieved.union(evenly))


def film_data(sources: Sources, stills: Stills) -> dict[str, Any]:
    """Return the explorer's data."""
    table, inside = sources.table, sources.params.evaluate.stills_inside
    spans, values = (table[f"sequence_{n}"].to_pylist() for n in ("spans", "probabilities"))
    experts = sorted({name for own in sources.description.experts.values() for name in own})
    extras = Extras(
        experts=experts,
        missing=missing_experts(sources.layout.features, experts, sources.ids),
        splits=table["split"].to_pylist(),
        seconds=[sources.archive.facts[name]["duration_s"] for name in sources.ids],
        facts=[_facts(sources, name) for name in sources.ids],
        digests=[sources.archive.facts[name]["video_sha256"] or "" for name in sources.ids],
        threshold=sources.params.evaluate.threshold,
        probabilities=np.array(table["probabilities"].to_pylist()),
        sequences=[(s, np.array(v)) if v else None for s, v in zip(spans, values, strict=True)],
        stills=stills_data(stills, len(sources.ids), sources.layout.page, inside),
    )
    planes = [_plane(sources, name) for name in SPACES]
    return explorer.payload(sources.films, sources.description.genres, planes, extras)


def held_out(sources: Sources, count: int) -> list[int]:
    """Return some evenly spaced test trailers; any trailers if there are no test trailers."""
    splits = sources.table["split"].to_pylist()
    members = [at for at, split in enumerate(splits) if split == "test"] or [*range(len(splits))]
    return [members[at] for at in evenly_spaced(len(members), count)]


def running_times(sources: Sources, count: int = 4) -> list[Strip]:
    """Return figure 8 for some test trailers; empty without a sequence head."""
    genres = sources.description.genres
    found = [(at, evidence.strongest(sources.table, at, genres)) for at in held_out(sources, count)]
    return [Strip(at, *parts) for at, parts in found if parts[0]]


def clip_times(sources: Sources, strips: Sequence[Strip]) -> list[Strip]:
    """Return the genres of each of `strips` by single clip."""
    return [_by_clip(sources, strip) for strip in strips]


def _by_clip(sources: Sources, strip: Strip) -> Strip:
    """The genres of one film by clip: clips in order, each up to the beginning of the next."""
    own = [("trailer_id", "==", sources.ids[strip.film])]
    rows = pq.read_table(sources.layout.evaluation / CLIPS, filters=own).to_pylist()
    by_genre = {name: [row for row in rows if row["genre"] == name] for name in strip.genres}
    clips = by_genre[strip.genres[0]]
    return Strip(
        strip.film,
        strip.genres,
        [[row["probability"] for row in by_genre[name]] for name in strip.genres],
        [*(row["start_s"] for row in clips), clips[-1]["stop_s"]],
    )


def retrievals(sources: Sources, count: int = 5, depth: int = 5) -> list[dict[str, Any]]:
    """Figures 5 and 10: some test trailers and the nearest to each in both spaces."""
    return [
        {"query": at} | {name: sources.table[f"{name}_near"][at].as_py()[:depth] for name in SPACES}
        for at in held_out(sources, count)
    ]


def changed_labels(table: ResultTable, count: int = 12) -> list[dict[str, Any]]:
    """The first trailers of Table 4, each with what both models add to its labels and drop."""
    found: dict[str, dict[str, Any]] = {}
    for row in table.records():
        shown = {"title": row["title"], "labels": _split(row["labels"])}
        changes = {name: _split(row[name]) for name in ("added", "dropped")}
        found.setdefault(str(row["trailer_id"]), shown)[str(row["model"])] = changes
    return list(found.values())[:count]


def _split(names: Any) -> list[str]:
    """Names of genres as Table 4 joins them."""
    return str(names).split("|") if names else []


def _plane(sources: Sources, name: str) -> Plane:
    """One space of explorer.parquet."""
    table = sources.table
    xy = np.stack([table[f"{name}_{axis}"].to_numpy() for axis in "xy"], axis=1)
    near, similarity = (
        np.array(table[f"{name}_{column}"].to_pylist()).reshape(len(xy), -1)
        for column in ("near", "similarity")
    )
    clusters = table[f"{name}_cluster"].to_numpy()
    return Plane(SPACES[name], xy, Neighbours(near, similarity), clusters)


def _facts(sources: Sources, name: str) -> list[str]:
    """Short facts about a trailer."""
    known = sources.archive.facts[name]
    facts = [f"{len(sources.archive.clips.get(name, ()))} clips"]
    facts += [f"{known['duration_s']:.0f}\u00a0s"] if known["duration_s"] is not None else []
    return facts + ([] if known["has_audio"] else ["silent"])
