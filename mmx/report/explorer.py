"""The explorer's data as compact JSON, for any films, any vocabulary, one or two spaces."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from mmx.evaluation.retrieval import Neighbours
from mmx.report.cluster_names import name_clusters

DISTINCT = (
    "oklch(0.62 0.18 27)",
    "oklch(0.58 0.16 260)",
    "oklch(0.76 0.15 80)",
    "oklch(0.60 0.14 150)",
    "oklch(0.60 0.19 315)",
    "oklch(0.73 0.11 205)",
    "oklch(0.74 0.13 350)",
)
"""Colours that differ in hue and lightness, legible on light and on dark."""
NEUTRAL = "oklch(0.68 0 0)"
GRID = 1000
"""Coordinates on a map are integers from 0 to this."""


@dataclass(frozen=True)
class Film:
    """One film of the explorer. Its text is untrusted input."""

    id: str
    title: str
    year: int | None
    genres: tuple[int, ...]
    """Positions in the vocabulary, the primary one, which gives the colour, first."""


@dataclass(frozen=True)
class Plane:
    """The films in one embedding space."""

    name: str
    xy: NDArray[np.floating]
    """N x 2."""
    near: Neighbours
    """Each film's nearest neighbours, N x K."""
    clusters: NDArray[np.integer]
    """Each film's cluster, 0 the largest."""


@dataclass(frozen=True)
class Extras:
    """Optional data; empty fields are not shown."""

    splits: Sequence[str] = ()
    seconds: Sequence[float | None] = ()
    """Length of each film."""
    facts: Sequence[Sequence[str]] = ()
    """Per film, short facts such as its length."""
    digests: Sequence[str] = ()
    """sha256 of each video."""
    threshold: float = 0.0
    """Threshold of the probabilities, 0..1."""
    probabilities: NDArray[np.floating] | None = None
    """N x G, 0..1."""
    sequences: Sequence[tuple[Sequence[float], NDArray[np.floating]] | None] = ()
    """Per film the (S + 1) borders in seconds and S x G probabilities; None if unknown."""
    experts: Sequence[str] = ()
    missing: Sequence[Sequence[int]] = ()
    """Per film, the experts without an embedding of it, by position."""
    stills: Mapping[str, Any] = field(default_factory=dict)
    """What `mmx.report.stills.stills_data` returns."""


def payload(
    films: Sequence[Film], genres: Sequence[str], planes: Sequence[Plane], extras: Extras
) -> dict[str, Any]:
    """Return the explorer's data: lists by position of the film, numbers as small integers."""
    data: dict[str, Any] = {
        "genres": list(genres),
        "colours": colours([film.genres for film in films], len(genres)),
        "ids": [film.id for film in films],
        "titles": [film.title for film in films],
        "years": [film.year for film in films],
        "labels": [list(film.genres) for film in films],
        "k": planes[0].near.index.shape[1],
        "spaces": [_plane(plane, films, genres) for plane in planes],
        "threshold": round(100 * extras.threshold),
    }
    return data | _extra(extras)


def colours(labels: Sequence[Sequence[int]], genres: int) -> list[str]:
    """Return a colour per genre: its own for the most frequent primary genres, grey for the others.

    More than eight colours cannot be told apart on a map.
    """
    primary = Counter(label[0] for label in labels if label)
    own = sorted(range(genres), key=lambda genre: (-primary[genre], genre))[: len(DISTINCT)]
    of = dict(zip(own, DISTINCT, strict=False))
    return [of.get(genre, NEUTRAL) for genre in range(genres)]


def to_script(data: object) -> Markup:
    """Return JSON that is safe inside a script element: no text can close it or open a tag."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _plane(plane: Plane, films: Sequence[Film], genres: Sequence[str]) -> dict[str, Any]:
    """One space: places on the grid, neighbours, similarities in thousandths, clusters."""
    return {
        "name": plane.name,
        "xy": _on_grid(plane.xy).ravel().tolist(),
        "near": plane.near.index.ravel().tolist(),
        "similarity": np.rint(1000 * plane.near.similarity).astype(int).ravel().tolist(),
        "clusters": plane.clusters.tolist(),
        "names": name_clusters(plane.clusters, [film.genres for film in films], genres),
    }


def _on_grid(xy: NDArray[np.floating]) -> NDArray[np.int64]:
    """Centre a map and scale both axes equally to integers within 0..GRID."""
    low, high = xy.min(axis=0), xy.max(axis=0)
    extent = max(float((high - low).max()), 1e-12)
    places = np.rint(((xy - (low + high) / 2) / extent + 0.5) * GRID)
    points: NDArray[np.int64] = places.astype(np.int64)
    return points


def _extra(extras: Extras) -> dict[str, Any]:
    """The optional data, without empty fields."""
    probabilities = extras.probabilities
    found = {
        "splits": list(extras.splits),
        "seconds": [None if each is None else round(each) for each in extras.seconds],
        "facts": [list(entry) for entry in extras.facts],
        "digests": [digest[:16] for digest in extras.digests],
        "probabilities": [] if probabilities is None else _percent(probabilities),
        "sequences": [None if entry is None else _sequence(*entry) for entry in extras.sequences],
        "experts": list(extras.experts) if any(extras.missing) else [],
        "missing": [list(own) for own in extras.missing] if any(extras.missing) else [],
        "stills": dict(extras.stills),
    }
    return {name: value for name, value in found.items() if value}


def _sequence(borders: Sequence[float], probabilities: NDArray[np.floating]) -> dict[str, Any]:
    """One film's sequences: integer seconds and percents."""
    return {"spans": [round(second) for second in borders], "values": _percent(probabilities)}


def _percent(probabilities: NDArray[np.floating]) -> list[list[int]]:
    """Integer percents."""
    percents: list[list[int]] = np.rint(100 * np.asarray(probabilities)).astype(int).tolist()
    return percents
