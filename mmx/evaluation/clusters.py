"""The geometry of an embedding space: silhouettes, maps, and the test of section 4.4."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits

from mmx.evaluation.retrieval import unit

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class SetSimilarity:
    """Mean cosine similarity among the trailers with one genre set, in two spaces."""

    genres: tuple[str, ...]
    trailers: int
    before: float
    after: float


@dataclass(frozen=True)
class Cohesion:
    """Section 4.4: similarity of trailers with equal labels, before and after fine-tuning."""

    sets: tuple[SetSimilarity, ...]
    """Genre sets of two trailers or more, largest first."""
    before: float | None
    """Mean over all pairs that share a set, -1..1; None without a pair."""
    after: float | None
    everyone_before: float | None
    """Mean over all pairs of trailers: the baseline for `before`."""
    everyone_after: float | None


def silhouette(vectors: Floats, groups: Sequence[Hashable]) -> float | None:
    """Return the mean silhouette (Rousseeuw 1987) of N x D vectors by cosine distance, -1..1.

    A trailer alone in its group counts as 0. None if there are fewer than two groups, or as many
    groups as trailers: the score is then undefined.
    """
    codes = {group: code for code, group in enumerate(dict.fromkeys(groups))}
    if not 2 <= len(codes) < len(groups):
        return None
    with threadpool_limits(1):
        return float(
            silhouette_score(unit(vectors), [codes[group] for group in groups], metric="cosine")
        )


def project(vectors: Floats, *, seed: int, perplexity: float) -> NDArray[np.float64]:
    """Return an N x 2 map of N x D vectors: t-SNE by cosine distance (figure 1).

    The vectors are normalised and reduced to at most 50 dimensions; t-SNE starts from the principal
    components. `perplexity` is lowered for a small N; for fewer than four trailers, equal vectors
    or one dimension the map is the principal components. One thread is used, so that equal vectors
    give equal bytes.
    """
    with threadpool_limits(1):
        centred = unit(vectors) - unit(vectors).mean(axis=0, keepdims=True)
        if min(len(centred), 2 * centred.shape[1]) < 4 or not np.ptp(centred, axis=0).any():
            left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
            return np.pad(left * sizes, ((0, 0), (0, 2)))[:, :2]
        reduced = PCA(min(50, *centred.shape), svd_solver="full").fit_transform(centred)
        layout = TSNE(
            perplexity=min(perplexity, (len(reduced) - 1) / 3),
            init=reduced[:, :2] / reduced[:, 0].std() * 1e-4,
            learning_rate="auto",
            random_state=seed,
        )
        places: NDArray[np.float64] = layout.fit_transform(reduced).astype(np.float64)
        return places


def cohesion(before: Floats, after: Floats, sets: Sequence[tuple[str, ...]]) -> Cohesion:
    """Compare two N x D spaces on the pairs of trailers that share a genre set (section 4.4).

    Two trailers share a set if their entries of `sets` are equal.
    """
    members: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for position, names in enumerate(sets):
        members[names].append(position)
    spaces = unit(before), unit(after)
    shared = {names: rows for names, rows in members.items() if len(rows) > 1}
    found = [
        SetSimilarity(names, len(rows), *(_mean_pair(space[rows]) for space in spaces))
        for names, rows in sorted(shared.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    everyone = [_mean_pair(space) if len(space) > 1 else None for space in spaces]
    return Cohesion(
        tuple(found), _over_pairs(found, "before"), _over_pairs(found, "after"), *everyone
    )


def _mean_pair(vectors: NDArray[np.float64]) -> float:
    """Return the mean cosine of all pairs of two unit vectors or more: (|sum|^2 - N) / N(N-1)."""
    count = len(vectors)
    total = float(np.square(vectors.sum(axis=0)).sum() - np.square(vectors).sum())
    return total / (count * (count - 1))


def _over_pairs(sets: Sequence[SetSimilarity], space: str) -> float | None:
    """Return the mean over all pairs, from each set's mean over its pairs."""
    pairs = [entry.trailers * (entry.trailers - 1) for entry in sets]
    if not pairs:
        return None
    total: float = sum(getattr(s, space) * n for s, n in zip(sets, pairs, strict=True))
    return total / sum(pairs)
