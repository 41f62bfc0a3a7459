import numpy as np
import pytest
from small_world import PARAMS, World

from mmx.evaluation import probes
from mmx.evaluation.subject import read_subject

RNG = np.random.default_rng(9)
COUNT = 60
GROUPS = [i % 3 for i in range(COUNT)]
FILMS = [i // 2 for i in range(COUNT)]
KNOWN = [frozenset({f"d{i % 5}"}) for i in range(COUNT)]
VECTORS = 3 * np.eye(5)[[i % 5 for i in range(COUNT)]] + 0.5 * RNG.normal(size=(COUNT, 5))


def measure(
    values: probes.Values, groups: list[int], vectors: np.ndarray = VECTORS
) -> tuple[int, float, float, float]:
    queries, *found = probes.measure_probe(
        vectors, values, FILMS, groups, 4, permutations=200, seed=1
    )
    observed, chance, p = found
    assert observed is not None and chance is not None and p is not None
    return queries, observed, chance, p


@pytest.mark.parametrize("groups", [[0] * COUNT, GROUPS])
def test_a_probe_equals_a_naive_count(groups: list[int]) -> None:
    queries, observed, _, _ = measure(KNOWN, groups)
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    shares = []
    for query in range(COUNT):
        able = [i for i in range(COUNT) if groups[i] == groups[query] and FILMS[i] != FILMS[query]]
        near = sorted(able, key=lambda i: -float(unit[i] @ unit[query]))[:4]
        shares.append(np.mean([bool(KNOWN[i] & KNOWN[query]) for i in near]))
    assert queries == COUNT
    assert observed == pytest.approx(np.mean(shares))


@pytest.mark.parametrize("groups", [[0] * COUNT, GROUPS])
def test_what_the_space_holds_is_above_chance_and_shuffled_it_is_at_chance(
    groups: list[int],
) -> None:
    _, observed, chance, p = measure(KNOWN, groups)
    assert observed > chance + 0.5 and p < 0.01
    assert chance == pytest.approx(0.2, abs=0.05)
    found = []
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(COUNT)
        _, observed, chance, p = measure([KNOWN[i] for i in order], groups)
        found.append((observed - chance, p))
    differences, values = zip(*found, strict=True)
    assert np.mean(differences) == pytest.approx(0, abs=0.03)
    assert 0.2 < np.mean(values) < 0.8


def test_what_only_the_genres_know_is_at_chance_among_equal_genres() -> None:
    values = [frozenset({str(group)}) for group in GROUPS]
    vectors = np.eye(3)[GROUPS] + 0.1 * RNG.normal(size=(COUNT, 3))
    assert measure(values, [0] * COUNT, vectors)[3] < 0.01
    _, observed, chance, p = measure(values, GROUPS, vectors)
    assert (observed, chance, p) == pytest.approx((1, 1, 1))


def test_without_others_there_is_nothing_to_find() -> None:
    found = probes.measure_probe(
        VECTORS[:4], KNOWN[:4], [0] * 4, [0] * 4, 3, permutations=5, seed=0
    )
    assert found == (0, None, None, None)


def test_a_permutation_stays_within_groups() -> None:
    order = probes._permute(GROUPS, np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(COUNT))
    assert [GROUPS[i] for i in order] == GROUPS
    assert order.tolist() != list(range(COUNT))


def test_every_space_is_probed_in_both_scopes(world: World) -> None:
    subject = read_subject(**world.inputs, params=PARAMS)
    values = [frozenset({genres[0]}) if i % 4 else frozenset() for i, genres in
              enumerate(world.genres)]  # fmt: skip
    found = probes.probe_spaces(subject, {"first": values}, permutations=50)
    assert {(one.space, one.scope) for one in found} == {
        (space, scope) for space in subject.spaces for scope in probes.SCOPES
    }
    coarse = next(one for one in found if (one.space, one.scope) == ("coarse", "all"))
    assert coarse.queries == 36
    assert coarse.observed is not None and coarse.chance is not None
    assert coarse.observed > coarse.chance and coarse.p == pytest.approx(1 / 51)
