"""Probes: does a space hold what no training was told, such as franchise, director or language?

A probe is a value per trailer, or several. A space knows it if the nearest trailers share it more
often than after a permutation of the values. Asked among trailers with the identical genre set, the
answer owes nothing to genres (section 4.4's claim).
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmx.evaluation.retrieval import unit
from mmx.evaluation.subject import Subject

Values = Sequence[frozenset[str]]
"""The values of each trailer; empty where unknown."""
SCOPES = ("all", "same genres")


@dataclass(frozen=True)
class Finding:
    """One probe of one space."""

    probe: str
    space: str
    scope: str
    """`all`, or `same genres`: among trailers with the identical genre set."""
    queries: int
    """Trailers that have another to be compared with."""
    observed: float | None
    """Share of neighbours that share a value with their query, mean over queries; None without."""
    chance: float | None
    """The same after permutations of the values, mean."""
    p: float | None
    """Share of permutations that do as well, 0..1: small if the space knows the probe."""


@dataclass(frozen=True)
class _Pairs:
    """Every query with each of its neighbours, and the weight of the pair in the mean."""

    query: NDArray[np.intp]
    near: NDArray[np.intp]
    weight: NDArray[np.float64]


def probe_spaces(
    subject: Subject, probes: Mapping[str, Values], *, permutations: int
) -> list[Finding]:
    """Try every probe on every space, among all trailers and among those of equal genres.

    Trailers of the same film are no neighbours, and those without a value take no part.

    Args:
        subject: trailers and spaces.
        probes: by name, the values of each trailer of `subject`.
        permutations: of the values, among all or within each genre set.
    """
    k, seed = subject.params.neighbours, subject.params.seed
    findings = []
    for name, values in probes.items():
        known = np.array([at for at, own in enumerate(values) if own], dtype=np.intp)
        own = [values[at] for at in known]
        films, sets = ([rows[at] for at in known] for rows in (subject.films, subject.sets))
        for scope, groups in zip(SCOPES, ([()] * len(known), sets), strict=True):
            for space, vectors in subject.spaces.items():
                figures = measure_probe(
                    vectors[known], own, films, groups, k, permutations=permutations, seed=seed
                )
                findings.append(Finding(name, space, scope, *figures))
    return findings


def measure_probe(
    vectors: NDArray[np.floating],
    values: Values,
    films: Sequence[Hashable],
    groups: Sequence[Hashable],
    k: int,
    *,
    permutations: int,
    seed: int,
) -> tuple[int, float | None, float | None, float | None]:
    """Return queries, observed, chance and p of `Finding`; the last three None without queries.

    Args:
        vectors: N x D.
        values: of each of the N trailers, none empty.
        films: the film of each; neighbours are of other films.
        groups: neighbours are of the same group, and values are permuted within it.
        k: neighbours of a trailer; fewer where its group has fewer.
        permutations: how many.
        seed: of the permutations.
    """
    pairs = _find_pairs(vectors, films, groups, k)
    queries = len(np.unique(pairs.query))
    if not queries:
        return 0, None, None, None
    sharing = _sharing(values)
    observed = _share(sharing, pairs, np.arange(len(values)))
    rng = np.random.default_rng(seed)
    drawn = [_share(sharing, pairs, _permute(groups, rng)) for _ in range(permutations)]
    # Equal sums may differ in their last bits.
    as_good = sum(share >= observed - 1e-9 for share in drawn)
    return queries, observed, float(np.mean(drawn)), (1 + as_good) / (1 + permutations)


def _find_pairs(
    vectors: NDArray[np.floating],
    films: Sequence[Hashable],
    groups: Sequence[Hashable],
    k: int,
) -> _Pairs:
    """Find the nearest of each trailer's group that are of other films."""
    units = unit(vectors)
    film, group = _codes(films), _codes(groups)
    found: list[tuple[int, NDArray[np.intp]]] = []
    for query in range(len(units)):
        able = np.flatnonzero((group == group[query]) & (film != film[query]))
        cosine = np.round(units[able] @ units[query], 9)
        found.append((query, able[np.argsort(-cosine, kind="stable")[:k]]))
    found = [(query, near) for query, near in found if len(near)]
    sizes = np.array([len(near) for _, near in found], dtype=np.intp)
    return _Pairs(
        np.repeat(np.array([query for query, _ in found], dtype=np.intp), sizes),
        np.concatenate([np.empty(0, np.intp), *(near for _, near in found)]),
        np.repeat(1 / np.maximum(sizes, 1) / max(len(found), 1), sizes),
    )


def _codes(names: Sequence[Hashable]) -> NDArray[np.intp]:
    """Number names in the order in which they appear."""
    known = {name: code for code, name in enumerate(dict.fromkeys(names))}
    return np.array([known[name] for name in names], dtype=np.intp)


def _sharing(values: Values) -> NDArray[np.bool_]:
    """Return whether each two of N trailers share a value, N x N."""
    columns = {value: at for at, value in enumerate(sorted(frozenset().union(*values)))}
    marks = np.zeros((len(values), len(columns)), np.float32)
    for row, own in zip(marks, values, strict=True):
        row[[columns[value] for value in own]] = 1
    return marks @ marks.T > 0


def _share(sharing: NDArray[np.bool_], pairs: _Pairs, order: NDArray[np.intp]) -> float:
    """Return the mean share if trailer i had the values of trailer order[i]."""
    return float(sharing[order[pairs.query], order[pairs.near]] @ pairs.weight)


def _permute(groups: Sequence[Hashable], rng: np.random.Generator) -> NDArray[np.intp]:
    """Return a random permutation that keeps every trailer within its group."""
    codes = _codes(groups)
    order = np.lexsort((rng.random(len(codes)), codes))
    permuted = np.empty(len(codes), np.intp)
    permuted[np.argsort(codes, kind="stable")] = order
    return permuted
