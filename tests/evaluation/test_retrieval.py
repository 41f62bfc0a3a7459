import numpy as np
import pytest

from mmx.evaluation import retrieval

RNG = np.random.default_rng(5)
VECTORS = RNG.normal(size=(60, 8)).astype(np.float32)
VECTORS[41] = VECTORS[7] * 3
LABELS = (RNG.random((60, 4)) < 0.3).astype(int)
GROUPS = [int(g) for g in RNG.integers(0, 5, 60)]


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(float), b.astype(float)
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def naive_order(query: int, k: int) -> list[int]:
    others = [i for i in range(len(VECTORS)) if i != query]
    key = {i: round(cosine(VECTORS[query], VECTORS[i]), 9) for i in others}
    return sorted(others, key=lambda i: (-key[i], i))[:k]


@pytest.mark.parametrize("block", [7, 1024])
def test_neighbours_equal_a_naive_search(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(retrieval, "BLOCK", block)
    found = retrieval.neighbours(VECTORS, 9)
    for query in range(len(VECTORS)):
        assert found.index[query].tolist() == naive_order(query, 9)
        expected = [cosine(VECTORS[query], VECTORS[i]) for i in found.index[query]]
        assert found.similarity[query] == pytest.approx(expected, abs=1e-8)


def test_ties_go_to_the_lower_position() -> None:
    vectors: np.ndarray = np.tile(np.array([[3.0, 4.0]]), (6, 1)) * np.arange(1, 7)[:, None]
    found = retrieval.neighbours(vectors, 3)
    assert found.index.tolist() == [
        [1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2], [0, 1, 2], [0, 1, 2]
    ]  # fmt: skip
    assert (found.similarity == 1.0).all()


def test_queries_from_elsewhere_may_find_their_equal() -> None:
    found = retrieval.nearest(VECTORS[[7]], VECTORS, 2)
    assert found.index.tolist() == [[7, 41]]


def test_there_are_never_more_neighbours_than_others() -> None:
    assert retrieval.neighbours(VECTORS[:4], 10).index.shape == (4, 3)
    assert retrieval.neighbours(VECTORS[:1], 10).index.shape == (1, 0)
    assert retrieval.nearest(VECTORS[:2], VECTORS[:4], 10).index.shape == (2, 4)


def test_a_zero_vector_is_near_to_nothing() -> None:
    found = retrieval.neighbours(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), 2)
    assert found.similarity[0].tolist() == [0.0, 0.0]
    assert found.index[0].tolist() == [1, 2]


@pytest.mark.parametrize("wrong", [np.zeros(3), np.full((2, 2), np.nan)])
def test_wrong_vectors_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite and N x D"):
        retrieval.neighbours(wrong, 1)


def test_label_agreement_equals_a_naive_count() -> None:
    found = retrieval.neighbours(VECTORS, 6)
    shares = [[bool((LABELS[a] & LABELS[b]).any()) for b in range(60)] for a in range(60)]
    observed = np.mean([[shares[a][b] for b in found.index[a]] for a in range(60)])
    chance = np.mean([shares[a][b] for a in range(60) for b in range(60) if a != b])
    agreement = retrieval.label_agreement(found, LABELS)
    assert agreement is not None
    assert agreement.observed == pytest.approx(observed)
    assert agreement.chance == pytest.approx(chance)


def test_group_agreement_equals_a_naive_count() -> None:
    found = retrieval.neighbours(VECTORS, 6)
    observed = np.mean([[GROUPS[a] == GROUPS[b] for b in found.index[a]] for a in range(60)])
    chance = np.mean([GROUPS[a] == GROUPS[b] for a in range(60) for b in range(60) if a != b])
    agreement = retrieval.group_agreement(found, GROUPS)
    assert agreement is not None
    assert agreement.observed == pytest.approx(observed)
    assert agreement.chance == pytest.approx(chance)


def test_separate_groups_agree_completely() -> None:
    groups = np.repeat([0, 1, 2], 5)
    vectors = np.eye(3)[groups] + 0.01 * RNG.normal(size=(15, 3))
    found = retrieval.neighbours(vectors, 4)
    agreement = retrieval.group_agreement(found, groups.tolist())
    assert agreement is not None and agreement.observed == 1.0


def test_without_neighbours_there_is_no_agreement() -> None:
    alone = retrieval.neighbours(VECTORS[:1], 3)
    assert retrieval.label_agreement(alone, LABELS[:1]) is None
    assert retrieval.group_agreement(alone, GROUPS[:1]) is None


def test_many_equal_vectors_keep_the_order_of_their_positions() -> None:
    vectors = np.random.default_rng(5).integers(0, 2, (60, 3)).astype(float)
    found = retrieval.neighbours(vectors, 7)
    cosine = np.round(retrieval.unit(vectors) @ retrieval.unit(vectors).T, 9)
    np.fill_diagonal(cosine, -np.inf)
    expected = np.argsort(-cosine, axis=1, kind="stable")[:, :7]
    assert found.index.tolist() == expected.tolist()


FILMS = [i // 3 for i in range(60)]


def test_trailers_of_the_same_film_are_no_neighbours() -> None:
    found = retrieval.neighbours(VECTORS, 9, FILMS)
    for query in range(60):
        order = [i for i in naive_order(query, 59) if FILMS[i] != FILMS[query]]
        assert found.index[query].tolist() == order[:9]
    assert retrieval.neighbours(VECTORS[:5], 9, ["a", "a", "b", "b", "c"]).index.shape == (5, 3)
    assert retrieval.neighbours(VECTORS[:5], 9, ["a"] * 5).index.shape == (5, 0)
    other = retrieval.nearest(VECTORS[[7]], VECTORS, 2, ([FILMS[7]], FILMS))
    assert other.index.tolist() == [[41, naive_order(7, 9)[1]]]


def test_chance_is_over_trailers_of_different_films() -> None:
    found = retrieval.neighbours(VECTORS, 6, FILMS)
    pairs = [(a, b) for a in range(60) for b in range(60) if FILMS[a] != FILMS[b]]
    by_label = retrieval.label_agreement(found, LABELS, FILMS)
    by_group = retrieval.group_agreement(found, GROUPS, FILMS)
    assert by_label is not None and by_group is not None
    shares = [bool((LABELS[a] & LABELS[b]).any()) for a, b in pairs]
    assert by_label.chance == pytest.approx(np.mean(shares))
    assert by_group.chance == pytest.approx(np.mean([GROUPS[a] == GROUPS[b] for a, b in pairs]))
