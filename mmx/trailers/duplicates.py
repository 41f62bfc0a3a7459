"""Films of a collection that are one film: pairs that are likely by their jumps, then compared."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mmx.trailers.groups import joined
from mmx.trailers.likeness import SPEEDS, Likeness, compare
from mmx.trailers.signature import WINDOW, Signature

LIKE = 0.92
"""Correlation of the light around two jumps from which they may be one jump."""
WAVES = 6
"""Slowest cosines over a window that are compared, of each region."""
BLOCK = 512
"""Jumps that are compared at a time with all others: bounds the memory."""
AGREEING = 3
"""Shared jumps that must lie over each other; half of a film's jumps if it has few."""
MOST = 64
"""Shared jumps of two films that are looked at."""
SLACK_S = 0.15
"""Seconds by which they may miss."""


@dataclass(frozen=True)
class Pair:
    """Two trailers that are one film, with the evidence."""

    first: str
    second: str
    kind: str
    """`file`: the same bytes; `streams`: the same pictures and sound; `pictures`: the same pictures
    under another sound; `near`: pictures that fit at every moment, see `likeness`."""
    likeness: Likeness | None = None
    """How the second lies over the first, for `near`."""


def same_digests(rows: Iterable[Mapping[str, str]]) -> list[Pair]:
    """Return pairs of equal files, streams or pictures among rows of sources.parquet."""
    kinds = {
        "file": ("sha256",),
        "streams": ("video_digest", "sound_digest"),
        "pictures": ("video_digest",),
    }
    rows = sorted(rows, key=lambda row: row["trailer_id"])
    found: dict[tuple[str, str], Pair] = {}
    for kind, columns in kinds.items():
        same: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for row in rows:
            same[tuple(row[column] for column in columns)].append(row["trailer_id"])
        for names in same.values():
            for first, second in combinations(names, 2):
                found.setdefault((first, second), Pair(first, second, kind))
    return [found[key] for key in sorted(found)]


def near_duplicates(films: Mapping[str, Signature]) -> list[Pair]:
    """Return the pairs of films whose pictures fit, sorted; the order of `films` has no effect."""
    names = sorted(films)
    pairs = []
    for i, j in _likely([films[name] for name in names]):
        likeness = compare(films[names[i]], films[names[j]])
        if likeness.same:
            pairs.append(Pair(names[i], names[j], "near", likeness))
    return pairs


def _likely(films: Sequence[Signature]) -> list[tuple[int, int]]:
    """Return the numbers of films that share jumps whose times fit one speed, sorted."""
    jumps = np.array([len(film.marks) for film in films], int)
    marks = np.concatenate([film.marks for film in films] or [np.zeros(0)])
    owner = np.repeat(np.arange(len(films)), jumps)
    one, other = _alike(films, owner)
    if not len(one):
        return []
    pairs, starts = np.unique(owner[one] * len(films) + owner[other], return_index=True)
    chosen = []
    for pair, here, there in zip(
        pairs, np.split(marks[one], starts[1:]), np.split(marks[other], starts[1:]), strict=True
    ):
        i, j = divmod(int(pair), len(films))
        least = min(AGREEING, max(1, int(min(jumps[i], jumps[j])) // 2))
        if len(here) >= least and _agreeing(here[:MOST], there[:MOST]) >= least:
            chosen.append((i, j))
    return chosen


def _agreeing(here: np.ndarray, there: np.ndarray) -> int:
    """Return how many shared jumps lie over each other at the best offset and speed."""
    offsets = here[:, None] - there[:, None] * np.array(SPEEDS)
    near = np.abs(offsets[:, None] - offsets[None]) < SLACK_S
    return int(near.sum(axis=1).max())


def _alike(films: Sequence[Signature], owner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of jumps that are alike, of a film and of a later one, by film."""
    if not len(owner):
        return owner, owner
    around = _slow_waves(np.concatenate([film.around for film in films]))
    found = []
    for start in range(0, len(owner), BLOCK):
        rows = around[start : start + BLOCK]
        found.append(np.argwhere(rows @ around[start:].T > LIKE) + start)
    one, other = np.concatenate(found).T
    later = owner[one] < owner[other]
    one, other = one[later], other[later]
    order = np.lexsort((owner[other], owner[one]))
    return one[order], other[order]


def _slow_waves(around: np.ndarray) -> np.ndarray:
    """Return the light around jumps in its slowest cosines, of length 1: float32 [jumps, waves]."""
    places = np.arange(len(WINDOW))
    waves = np.cos(np.pi * (places[:, None] + 0.5) * np.arange(WAVES) / len(WINDOW))
    waves /= np.linalg.norm(waves, axis=0)
    windows = around.reshape(len(around), len(WINDOW), -1)
    rows = np.einsum("jwr,wk->jrk", windows, waves).reshape(len(around), -1)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: np.ndarray = (rows / np.maximum(length, 1e-6)).astype(np.float32)
    return unit


def proposed_groups(pairs: Iterable[Pair], groups: Mapping[str, str]) -> dict[str, str]:
    """Return a new group_id for every trailer of a pair that has another one now.

    groups: the present group_id of every trailer. A group takes in the whole groups that it joins,
    and has the first name of theirs.
    """
    films = joined([(groups[pair.first], groups[pair.second]) for pair in pairs])
    return {
        name: films[group]
        for name, group in sorted(groups.items())
        if films.get(group, group) != group
    }
