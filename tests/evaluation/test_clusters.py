from itertools import combinations
from typing import Any

import numpy as np
import pytest

from mmx.evaluation import clusters, retrieval

RNG = np.random.default_rng(2)
GROUPS = [i % 3 for i in range(24)]
VECTORS = np.eye(6)[GROUPS] + 0.3 * RNG.normal(size=(24, 6))


def distance(a: int, b: int) -> float:
    x, y = VECTORS[a], VECTORS[b]
    return 1 - float(x @ y / np.sqrt((x @ x) * (y @ y)))


def naive_silhouette(groups: list[Any]) -> float:
    scores = []
    for i, own in enumerate(groups):
        mean: dict[Any, float] = {}
        for group in set(groups):
            others = [distance(i, j) for j, g in enumerate(groups) if g == group and j != i]
            if others:
                mean[group] = float(np.mean(others))
        if own not in mean:
            scores.append(0.0)
            continue
        inside, outside = mean[own], min(mean[g] for g in mean if g != own)
        scores.append((outside - inside) / max(inside, outside))
    return float(np.mean(scores))


@pytest.mark.parametrize("groups", [GROUPS, [("a",), *[("a", "b"), ("c",)] * 11, ("d",)]])
def test_the_silhouette_equals_a_naive_computation(groups: list[Any]) -> None:
    assert clusters.silhouette(VECTORS, groups) == pytest.approx(naive_silhouette(groups))


@pytest.mark.parametrize("groups", [["a"] * 24, list(range(24))])
def test_the_silhouette_is_none_where_it_is_not_defined(groups: list[Any]) -> None:
    assert clusters.silhouette(VECTORS, groups) is None


def test_the_map_depends_on_vectors_and_seed_alone() -> None:
    first = clusters.project(VECTORS, seed=3, perplexity=5)
    assert first.tobytes() == clusters.project(VECTORS, seed=3, perplexity=5).tobytes()


def test_the_map_keeps_clusters_together() -> None:
    groups = [i // 20 for i in range(60)]
    vectors = 3 * np.eye(10)[groups] + 0.2 * RNG.normal(size=(60, 10))
    xy = clusters.project(vectors, seed=0, perplexity=10)
    found = retrieval.neighbours(np.c_[xy - xy.mean(axis=0)], 1)
    near = ((xy[:, None] - xy[None]) ** 2).sum(axis=2) + 1e9 * np.eye(60)
    assert [groups[i] for i in near.argmin(axis=1)] == groups
    assert found.index.shape == (60, 1)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_a_tiny_collection_has_a_map(count: int) -> None:
    xy = clusters.project(VECTORS[:count], seed=0, perplexity=30)
    assert xy.shape == (count, 2)
    assert np.isfinite(xy).all()


def test_equal_vectors_have_a_map() -> None:
    assert np.isfinite(clusters.project(np.ones((9, 4)), seed=0, perplexity=30)).all()


def test_cohesion_equals_the_mean_over_pairs() -> None:
    sets = [("a",), ("a", "b"), ("b",)] * 8
    sets[0] = ("alone",)
    after = VECTORS[::-1]
    found = clusters.cohesion(VECTORS, after, sets)
    units = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (VECTORS, after)]
    pairs = list(combinations(range(24), 2))
    sharing = [(a, b) for a, b in pairs if sets[a] == sets[b]]

    def mean(unit: np.ndarray, chosen: list[tuple[int, int]]) -> float:
        return float(np.mean([unit[a] @ unit[b] for a, b in chosen]))

    assert found.before == pytest.approx(mean(units[0], sharing))
    assert found.after == pytest.approx(mean(units[1], sharing))
    assert found.everyone_before == pytest.approx(mean(units[0], pairs))
    assert found.everyone_after == pytest.approx(mean(units[1], pairs))
    assert [(s.genres, s.trailers) for s in found.sets] == [
        (("a", "b"), 8),
        (("b",), 8),
        (("a",), 7),
    ]
    own = [(a, b) for a, b in sharing if sets[a] == ("a",)]
    assert found.sets[2].before == pytest.approx(mean(units[0], own))


def test_cohesion_without_a_shared_set() -> None:
    found = clusters.cohesion(VECTORS[:2], VECTORS[:2], [("a",), ("b",)])
    assert (found.sets, found.before, found.after) == ((), None, None)
    assert found.everyone_before == pytest.approx(1 - distance(0, 1))
    alone = clusters.cohesion(VECTORS[:1], VECTORS[:1], [("a",)])
    assert alone.everyone_before is None
