"""Films of a collection that are one film: likely pairs first, which are then compared."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from mmx.trailers.candidates import likely_pairs
from mmx.trailers.groups import joined
from mmx.trailers.likeness import Likeness, compare
from mmx.trailers.signature import Signature


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
    for i, j in likely_pairs([films[name] for name in names]):
        likeness = compare(films[names[i]], films[names[j]])
        if likeness.same:
            pairs.append(Pair(names[i], names[j], "near", likeness))
    return pairs


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
