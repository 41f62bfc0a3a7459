import numpy as np

from mmx.report.cluster_names import MIXED, name_clusters

GENRES = ["Comedy", "Drama", "War"]


def test_a_name_is_what_distinguishes_and_not_what_all_have() -> None:
    labels = [[1, 0]] * 4 + [[1, 2]] * 3 + [[1]] * 2
    clusters = np.repeat([0, 1, 2], [4, 3, 2])
    assert name_clusters(clusters, labels, GENRES) == ["Comedy", "War", MIXED]


def test_at_most_two_genres_the_more_distinctive_first() -> None:
    labels = [[0, 1, 2], [0, 1], [0], [0, 1]] + [[]] * 4
    assert name_clusters(np.repeat([0, 1], 4), labels, GENRES) == ["Comedy, Drama", MIXED]


def test_one_cluster_is_named_by_its_frequent_genres() -> None:
    assert name_clusters(np.zeros(3, int), [[2], [2], []], GENRES) == ["War"]
    assert name_clusters(np.zeros(2, int), [[], []], []) == [MIXED]
