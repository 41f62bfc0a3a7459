import numpy as np
import pytest

from mmx.evaluation import untrained
from mmx.training.data import Collection, Column

RNG = np.random.default_rng(4)
CLIPS = np.array([0, 2, 5, 6])
"""Three trailers of two, three and one clip."""
PRESENT = np.array([True, True, True, False, True, False])


@pytest.fixture
def collection() -> Collection:
    scene = Column(RNG.normal(3, 2, (6, 4)).astype(np.float32), np.ones(6, bool), None)
    heard = np.concatenate([[0], np.cumsum(2 * PRESENT)])
    audio = Column(RNG.normal(size=(8, 3)).astype(np.float32), PRESENT, heard)
    return Collection(
        ["a", "b", "c"],
        CLIPS,
        {"scene": scene, "audio": audio},
        np.zeros((3, 1), np.uint8),
        np.zeros(3, int),
        np.array(["train", "train", "test"]),
        np.arange(3),
    )


def test_features_are_standardised_over_the_training_split_and_averaged(
    collection: Collection,
) -> None:
    scene = collection.columns["scene"].values.astype(float)
    scaled = (scene - scene[:5].mean(axis=0)) / scene[:5].std(axis=0)
    expected = [scaled[:2].mean(axis=0), scaled[2:5].mean(axis=0), scaled[5]]
    found = untrained.pool(collection)
    np.testing.assert_allclose(found["scene"], expected, rtol=1e-5)
    audio = collection.columns["audio"].values.astype(float)
    own = (audio - audio.mean(axis=0)) / audio.std(axis=0)
    np.testing.assert_allclose(found["audio"][0], own[:4].mean(axis=0), rtol=1e-4)
    assert not found["audio"][2].any()
    assert untrained.join(found).shape == (3, 7)


def test_whitened_training_vectors_are_uncorrelated_and_of_equal_scale() -> None:
    vectors = RNG.normal(size=(80, 6)) @ RNG.normal(size=(6, 6))
    fitted = np.arange(60)
    found = untrained.whiten(vectors, fitted, 4)
    assert found.shape == (80, 4)
    np.testing.assert_allclose(np.cov(found[:60].T), np.eye(4), atol=1e-9)
    values, axes = np.linalg.eigh(np.cov(vectors[:60].T))
    centred = (vectors - vectors[:60].mean(axis=0)) @ axes[:, ::-1][:, :4]
    np.testing.assert_allclose(np.abs(found), np.abs(centred / np.sqrt(values[::-1][:4])))


@pytest.mark.parametrize(("count", "width"), [(3, 2), (1, 1)])
def test_few_vectors_have_as_many_components_as_they_span(count: int, width: int) -> None:
    vectors = RNG.normal(size=(10, 6))
    found = untrained.whiten(vectors, np.arange(count), 30)
    assert found.shape == (10, width)
    assert found.any() == (count > 1)
