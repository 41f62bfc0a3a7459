"""The split: by group, stratified over several labels, and stable as the collection grows.

Iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011): the groups with the rarest label
are assigned, one by one, to the split that lacks most of that label. Here the trailers that have a
split already are counted, which the published package cannot do, so that new groups restore the
proportions.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from mmx.params import SplitParams

SPLITS = ("train", "validation", "test")
ATTEMPTS = 12
"""Number of orders in which groups are assigned; a digest has bytes for thirteen."""
SCHEMA = pa.schema(
    [
        pa.field("trailer_id", pa.string(), nullable=False),
        pa.field("group_id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True)
class _Group:
    """The trailers of one film."""

    name: str
    size: int
    """Trailers."""
    counts: np.ndarray
    """int64 [labels]: how many of them have each label."""
    digest: bytes
    """Depends only on seed and name; used to break ties."""

    def rank(self, attempt: int) -> int:
        """Return a pseudo-random number, another one in each attempt."""
        return int.from_bytes(self.digest[2 * attempt : 2 * attempt + 8], "big")


def assign(
    groups: Mapping[str, str],
    labels: Mapping[str, Sequence[str]],
    params: SplitParams,
    earlier: pa.Table | None = None,
) -> pa.Table:
    """Give every trailer a split; trailers of a group get the same one.

    Args:
        groups: group_id by trailer_id, of all trailers to be split.
        labels: genres by trailer_id, of the same trailers.
        params: shares and seed.
        earlier: what `assign` returned before. A group found in it, by its name or by any of its
            trailers, keeps its split; if it has several splits, the one of most trailers.

    Returns:
        SCHEMA, sorted by trailer_id. The order of the arguments' entries has no effect.
    """
    fixed = _earlier_splits(groups, earlier)
    shares = np.array([params.train, params.validation, params.test])
    films = _films(groups, labels, params.seed)
    sizes = sum(film.size for film in films)
    missing = shares * sizes
    missing_labels = np.outer(shares, sum(film.counts for film in films))
    for film in films:
        if film.name in fixed:
            _assign_group(film, SPLITS.index(fixed[film.name]), missing, missing_labels)
    new = [film for film in films if film.name not in fixed]
    places = fixed | _best_places(new, shares > 0, missing, missing_labels)
    rows = [
        {"trailer_id": trailer, "group_id": group, "split": places[group]}
        for trailer, group in sorted(groups.items())
    ]
    return pa.Table.from_pylist(rows, SCHEMA)


def _films(
    groups: Mapping[str, str], labels: Mapping[str, Sequence[str]], seed: int
) -> list[_Group]:
    members: dict[str, list[str]] = defaultdict(list)
    for trailer, group in groups.items():
        members[group].append(trailer)
    vocabulary = sorted({label for names in labels.values() for label in names})
    films = []
    for name, trailers in sorted(members.items()):
        count = Counter(label for trailer in trailers for label in set(labels[trailer]))
        digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
        counts = np.array([count[label] for label in vocabulary], np.int64)
        films.append(_Group(name, len(trailers), counts, digest))
    return films


def _earlier_splits(groups: Mapping[str, str], earlier: pa.Table | None) -> dict[str, str]:
    """Return the split of every present group that is in `earlier`."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    present = set(groups.values())
    for row in earlier.to_pylist() if earlier else []:
        group = groups.get(row["trailer_id"], row["group_id"])
        if group in present:
            votes[group][row["split"]] += 1
    return {
        group: max(SPLITS, key=lambda split: (count[split], -SPLITS.index(split)))
        for group, count in votes.items()
    }


def _assign_group(
    film: _Group, place: int, missing: np.ndarray, missing_labels: np.ndarray
) -> None:
    """Subtract a group from `missing` [splits] and `missing_labels` [splits, labels]."""
    missing[place] -= film.size
    missing_labels[place] -= film.counts


def _best_places(
    films: Sequence[_Group], allowed: np.ndarray, missing: np.ndarray, missing_labels: np.ndarray
) -> dict[str, str]:
    """Return a split for each group: the best of several attempts by deviation from the shares."""
    best, least = {}, np.inf
    for attempt in range(ATTEMPTS):
        rest, rest_labels = missing.copy(), missing_labels.copy()
        places = _place(films, attempt, allowed, rest, rest_labels)
        left = np.abs(rest).sum() + np.abs(rest_labels).sum()
        if left < least:
            best, least = places, left
    return best


def _place(
    films: Sequence[_Group],
    attempt: int,
    allowed: np.ndarray,
    missing: np.ndarray,
    missing_labels: np.ndarray,
) -> dict[str, str]:
    """Return a split for each group; `missing` and `missing_labels` are updated."""
    places: dict[str, str] = {}
    waiting = sorted(films, key=lambda film: (-film.size, film.rank(attempt)))
    while waiting:
        label = _rarest(waiting)
        for film in waiting:
            if label is None or film.counts[label]:
                lack = missing if label is None else missing_labels[:, label]
                place = _largest_deficit(film.rank(attempt), allowed, lack, missing)
                _assign_group(film, place, missing, missing_labels)
                places[film.name] = SPLITS[place]
        waiting = [film for film in waiting if film.name not in places]
    return places


def _rarest(films: Sequence[_Group]) -> int | None:
    """Return the label of the fewest groups, but at least one; None if no group has a label."""
    having = np.sum([film.counts > 0 for film in films], axis=0)
    some = np.flatnonzero(having)
    return int(some[having[some].argmin()]) if len(some) else None


def _largest_deficit(rank: int, allowed: np.ndarray, lack: np.ndarray, missing: np.ndarray) -> int:
    """Return the allowed split that lacks most of the label, then most trailers, then by rank.

    Values are rounded to a millionth of a trailer, so that rounding errors do not break ties.
    """
    need = [
        (round(lacking, 6), round(trailers, 6)) if may else (-np.inf, -np.inf)
        for lacking, trailers, may in zip(lack.tolist(), missing.tolist(), allowed, strict=True)
    ]
    equal = [place for place, both in enumerate(need) if both == max(need)]
    return equal[rank % len(equal)]
