"""The split: by group, stratified over several labels, and sticky.

Iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011): the rarest label's groups go, one
by one, where that label is most wanting. Here what is wanting counts the trailers that have a split
already, which the published package cannot; so new groups restore the proportions that the others
have lost.
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
"""Orders in which groups are tried; a digest has bytes for thirteen."""
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
    """From the seed and the name alone: decides between equals."""

    def rank(self, attempt: int) -> int:
        """Return a number that is as good as random, another one in each attempt."""
        return int.from_bytes(self.digest[2 * attempt : 2 * attempt + 8], "big")


def assign(
    groups: Mapping[str, str],
    labels: Mapping[str, Sequence[str]],
    params: SplitParams,
    earlier: pa.Table | None = None,
) -> pa.Table:
    """Give every trailer a split; trailers of a group get the same one.

    Args:
        groups: group_id by trailer_id, of all trailers that take part.
        labels: genres by trailer_id, of the same trailers.
        params: shares and seed.
        earlier: what `assign` returned before. A group that it knows, by its name or by any of its
            trailers, stays; where it knows several splits of it, the one of most trailers wins.

    Returns:
        SCHEMA, sorted by trailer_id. The order of the arguments' entries plays no part.
    """
    fixed = _earlier_splits(groups, earlier)
    shares = np.array([params.train, params.validation, params.test])
    films = _films(groups, labels, params.seed)
    sizes = sum(film.size for film in films)
    owed = shares * sizes
    owed_labels = np.outer(shares, sum(film.counts for film in films))
    for film in films:
        if film.name in fixed:
            _give(film, SPLITS.index(fixed[film.name]), owed, owed_labels)
    new = [film for film in films if film.name not in fixed]
    places = fixed | _best_places(new, shares > 0, owed, owed_labels)
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
    """Return the split of every present group that `earlier` knows."""
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


def _give(film: _Group, place: int, owed: np.ndarray, owed_labels: np.ndarray) -> None:
    """Write off, in `owed` [splits] and `owed_labels` [splits, labels], what a split has got."""
    owed[place] -= film.size
    owed_labels[place] -= film.counts


def _best_places(
    films: Sequence[_Group], allowed: np.ndarray, owed: np.ndarray, owed_labels: np.ndarray
) -> dict[str, str]:
    """Return a split for each group: of several attempts the one that leaves least owed."""
    best, least = {}, np.inf
    for attempt in range(ATTEMPTS):
        rest, rest_labels = owed.copy(), owed_labels.copy()
        places = _place(films, attempt, allowed, rest, rest_labels)
        left = np.abs(rest).sum() + np.abs(rest_labels).sum()
        if left < least:
            best, least = places, left
    return best


def _place(
    films: Sequence[_Group],
    attempt: int,
    allowed: np.ndarray,
    owed: np.ndarray,
    owed_labels: np.ndarray,
) -> dict[str, str]:
    """Return a split for each group; `owed` and `owed_labels` are written to."""
    places: dict[str, str] = {}
    waiting = sorted(films, key=lambda film: (-film.size, film.rank(attempt)))
    while waiting:
        label = _rarest(waiting)
        for film in waiting:
            if label is None or film.counts[label]:
                want = owed if label is None else owed_labels[:, label]
                place = _neediest(film.rank(attempt), allowed, want, owed)
                _give(film, place, owed, owed_labels)
                places[film.name] = SPLITS[place]
        waiting = [film for film in waiting if film.name not in places]
    return places


def _rarest(films: Sequence[_Group]) -> int | None:
    """Return the label that the fewest of the groups have, but some; None if they have none."""
    having = np.sum([film.counts > 0 for film in films], axis=0)
    some = np.flatnonzero(having)
    return int(some[having[some].argmin()]) if len(some) else None


def _neediest(rank: int, allowed: np.ndarray, want: np.ndarray, owed: np.ndarray) -> int:
    """Return the allowed split that wants most, then is owed most; then the rank decides.

    Values are rounded to a millionth of a trailer, so that equals are equal.
    """
    need = [
        (round(wanted, 6), round(due, 6)) if may else (-np.inf, -np.inf)
        for wanted, due, may in zip(want.tolist(), owed.tolist(), allowed, strict=True)
    ]
    equal = [place for place, both in enumerate(need) if both == max(need)]
    return equal[rank % len(equal)]
