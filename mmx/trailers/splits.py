"""The split: by group, stratified over several labels; whoever has a place keeps it.

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

from mmx.errors import UserError
from mmx.params import SplitParams
from mmx.trailers.quoting import listed

SPLITS = ("train", "validation", "test")
BOTH = "both"
"""In `split.accepted`: the trailers of a group stay where they are."""
ATTEMPTS = 12
"""Number of orders in which groups are assigned; a digest has bytes for thirteen."""
SCHEMA = pa.schema(
    [
        pa.field("trailer_id", pa.string(), nullable=False),
        pa.field("group_id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
    ]
)


class SplitConflictError(UserError):
    """Trailers of one film have places in different splits, and nobody has accepted that."""


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
    """Give every trailer a split: the one that it had, else its group's, else a new one.

    Args:
        groups: group_id by trailer_id, of all trailers to be split.
        labels: genres by trailer_id, of the same trailers.
        params: shares and seed.
        earlier: SCHEMA, every place that was ever given, also of trailers that are absent now.
            A group found in it, by any of its trailers or by its name, has that split.

    Returns:
        SCHEMA, sorted by trailer_id. The order of the arguments' entries has no effect.

    Raises:
        SplitConflictError: trailers of a group have places in several splits, and
            `split.accepted` does not name the group.
    """
    held = _held(groups, earlier, params.accepted)
    fixed = _group_places(groups, held, earlier, params.accepted)
    shares = np.array([params.train, params.validation, params.test])
    films = _films(groups, labels, params.seed)
    sizes = sum(film.size for film in films)
    missing = shares * sizes
    missing_labels = np.outer(shares, sum(film.counts for film in films))
    for film in films:
        if film.name in fixed:
            _assign_group(film, SPLITS.index(fixed[film.name]), missing, missing_labels)
    new = [film for film in films if film.name not in fixed]
    drawn = _best_places(new, shares > 0, missing, missing_labels)
    if params.sizes == "exact":
        drawn = _exact(new, drawn, _whole(missing, sizes, shares), missing_labels)
    places = fixed | drawn
    rows = [
        {"trailer_id": trailer, "group_id": group, "split": held.get(trailer, places[group])}
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


def _held(
    groups: Mapping[str, str], earlier: pa.Table | None, accepted: Mapping[str, str]
) -> dict[str, str]:
    """Return the split of every present trailer that has one: an accepted one before its own."""
    rows = earlier.to_pylist() if earlier else []
    held = {row["trailer_id"]: row["split"] for row in rows if row["trailer_id"] in groups}
    moved = {name: accepted.get(groups[name], BOTH) for name in held}
    return held | {name: split for name, split in moved.items() if split != BOTH}


def _group_places(
    groups: Mapping[str, str],
    held: Mapping[str, str],
    earlier: pa.Table | None,
    accepted: Mapping[str, str],
) -> dict[str, str]:
    """Return the split of every present group that has one; raise SplitConflictError."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for trailer, split in held.items():
        votes[groups[trailer]][split] += 1
    apart = [group for group in votes if len(votes[group]) > 1 and group not in accepted]
    if apart:
        raise SplitConflictError(_conflict(sorted(apart), votes))
    absent = set(groups.values()) - votes.keys()
    for row in earlier.to_pylist() if earlier else []:
        if row["group_id"] in absent:
            votes[row["group_id"]][row["split"]] += 1
    found = {group: _most(count) for group, count in votes.items()}
    chosen = {group: split for group, split in accepted.items() if split != BOTH}
    return found | {group: chosen[group] for group in chosen.keys() & set(groups.values())}


def _most(count: Counter[str]) -> str:
    return max(SPLITS, key=lambda split: (count[split], -SPLITS.index(split)))


def _conflict(apart: Sequence[str], votes: Mapping[str, Counter[str]]) -> str:
    told = [
        f"{group} ({' and '.join(split for split in SPLITS if votes[group][split])})"
        for group in apart
    ]
    return (
        f"one film would be on two sides of the split: {listed(told, most=5)}. Correct group_id "
        "or imdb_id in the manifest, or accept it in params.yaml: "
        f"`split.accepted: {{{apart[0]}: test}}` moves all its trailers there, `{BOTH}` leaves "
        "each where it is"
    )


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


def _whole(missing: np.ndarray, sizes: int, shares: np.ndarray) -> np.ndarray:
    """Return [splits] how many trailers each lacks in whole numbers, by largest remainders."""
    target = np.floor(shares * sizes + 1e-9)
    rest = np.argsort(-(shares * sizes - target), kind="stable")
    target[rest[: int(sizes - target.sum())]] += 1
    whole: np.ndarray = np.rint(missing - shares * sizes + target).astype(int)
    return whole


def _exact(
    films: Sequence[_Group],
    places: Mapping[str, str],
    lacking: np.ndarray,
    missing_labels: np.ndarray,
) -> dict[str, str]:
    """Return `places` with single trailers moved until no split has more than it lacked.

    Of the trailers of a split with too many, the one moves whose labels lose least by it; of
    equals the first by name. A split that cannot give stays as it is.
    """
    places = dict(places)
    left, labels = lacking.copy(), missing_labels.copy()
    for film in films:
        _assign_group(film, SPLITS.index(places[film.name]), left, labels)
    for _ in range(int(np.abs(left).sum()) // 2):
        over, under = int(left.argmin()), int(left.argmax())
        single = [film for film in films if film.size == 1 and places[film.name] == SPLITS[over]]
        if not single or left[over] == 0:
            break
        film = min(single, key=lambda each: _loss(each, labels[over], labels[under]))
        _assign_group(film, under, left, labels)
        left[over] += 1
        labels[over] += film.counts
        places[film.name] = SPLITS[under]
    return places


def _loss(film: _Group, over: np.ndarray, under: np.ndarray) -> tuple[float, str]:
    """Return what a move adds to the labels' distance from their shares, and the name."""
    before = np.abs(over).sum() + np.abs(under).sum()
    after = np.abs(over + film.counts).sum() + np.abs(under - film.counts).sum()
    return round(float(after - before), 6), film.name


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
