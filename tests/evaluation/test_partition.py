import numpy as np
import pytest

from mmx.evaluation.partition import MOST, find_clusters


def blobs(sizes: list[int], spread: float = 0.3) -> np.ndarray:
    """Points around corners far from each other."""
    rng = np.random.default_rng(5)
    corners = 10 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]])
    return np.concatenate(
        [corners[at] + spread * rng.normal(size=(size, 3)) for at, size in enumerate(sizes)]
    )


@pytest.mark.parametrize("sizes", [[9, 20], [20, 5, 12], [7, 9, 11, 30, 8]])
def test_groups_are_found_and_numbered_by_size(sizes: list[int]) -> None:
    found = find_clusters(blobs(sizes), seed=0)
    order = sorted(range(len(sizes)), key=lambda at: -sizes[at])
    expected = np.repeat([order.index(at) for at in range(len(sizes))], sizes)
    np.testing.assert_array_equal(found, expected)


def test_the_number_is_chosen_by_a_sample_and_holds_for_all() -> None:
    found = find_clusters(blobs([1500, 900, 600]), seed=0)
    assert np.bincount(found).tolist() == [1500, 900, 600]


def test_equal_points_give_equal_clusters_and_not_too_many() -> None:
    points = np.random.default_rng(1).normal(size=(60, 4))
    first, second = (find_clusters(points, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert 1 <= first.max() < MOST


@pytest.mark.parametrize(
    "points", [np.zeros((5, 3)), np.ones((1, 2)), np.array([[0.0], [1.0]]), np.zeros((0, 2))]
)
def test_what_cannot_be_told_apart_is_one_cluster(points: np.ndarray) -> None:
    assert find_clusters(points, seed=0).tolist() == [0] * len(points)
