"""Fine-tuning: its schedule, its pairs, its figures, and its effect."""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score

from mmx.model.config import NetworkConfig
from mmx.model.losses import decoupled, nt_xent
from mmx.model.network import Network
from mmx.params import FinetuneParams
from mmx.training.data import Collection, standards
from mmx.training.embed import embed_collection
from mmx.training.errors import CollectionError
from mmx.training.fine import finetune, learning_rate, silhouette
from mmx.training.load import ModelDescription, load_network, new_network, save_model
from mmx.training.pooled import mean_features, whiten

Loss = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]
QUICK = FinetuneParams(epochs=3, constant_epochs=1, batch=5, lr=1e-3, threads=1)


@pytest.fixture
def network(collection: Collection, config: NetworkConfig) -> Network:
    network = new_network(config, seed=0)
    network.standardise(standards(collection, collection.members("train")))
    return network


def validation_loss(
    network: Network, collection: Collection, temperature: float, loss: Loss = nt_xent
) -> float:
    """The loss between the halves of the validation trailers, which fit one batch."""
    members = collection.members("validation")
    projected = []
    for half in range(2):
        views = []
        for trailer in members:
            clips = collection.clips_of(trailer)
            middle = len(clips) // 2
            views.append(clips[:middle] if half == 0 else clips[middle:])
        with torch.inference_mode():
            projected.append(network.project(network.encode(collection.batch(views)).trailer))
    one, other = projected
    return loss(one, other, temperature).item()


def test_the_rate_is_constant_and_then_half_a_cosine() -> None:
    params = FinetuneParams()
    rates = [learning_rate(epoch, params) for epoch in range(1, 51)]
    assert rates[:11] == [1e-4] * 11
    assert rates[30] == pytest.approx(0.5e-4)
    assert rates[-1] == pytest.approx(0.5e-4 * (1 + math.cos(math.pi * 39 / 40)))
    assert all(after < before for before, after in pairwise(rates[10:]))


def test_the_rate_never_falls_where_all_epochs_are_constant() -> None:
    params = FinetuneParams(epochs=4, constant_epochs=10)
    assert [learning_rate(epoch, params) for epoch in range(1, 5)] == [1e-4] * 4


def test_the_silhouette_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    embeddings, primary = rng.random((20, 6)), rng.integers(0, 3, 20)
    expected = silhouette_score(embeddings, primary, metric="cosine")
    assert silhouette(embeddings, primary) == pytest.approx(expected)
    unknown = np.concatenate([primary, [-1, -1]])
    assert silhouette(
        rng.random((22, 6)) * 0 + np.vstack([embeddings, embeddings[:2]]), unknown
    ) == (pytest.approx(expected))


@pytest.mark.parametrize("primary", [[0, 0, 0], [0, 1, 2], [-1, -1, 1]])
def test_there_is_no_silhouette_without_groups(primary: list[int]) -> None:
    assert silhouette(np.eye(3), np.array(primary)) is None


@pytest.mark.slow
@pytest.mark.parametrize("pairs", ["halves", "random", "shuffled"])
def test_views_of_one_trailer_come_closer(
    pairs: Literal["halves", "random", "shuffled"], network: Network, collection: Collection
) -> None:
    params = FinetuneParams(epochs=15, batch=5, lr=3e-3, threads=1, pairs=pairs)
    before = validation_loss(network, collection, 0.5)
    trained = finetune(network, collection, params, device="cpu")
    assert trained.history[0]["validation_loss"] == pytest.approx(before, rel=1e-5)
    after = validation_loss(trained.network, collection, 0.5)
    assert trained.history[-1]["validation_loss"] == pytest.approx(after, rel=1e-5)
    history: list[dict[str, Any]] = trained.history
    assert history[-1]["train_loss"] < history[1]["train_loss"]
    assert after < before


def test_equation_4_is_minimised_as_printed(network: Network, collection: Collection) -> None:
    params = QUICK.model_copy(update={"loss": "literal", "temperature": 0.2})
    before = validation_loss(network, collection, 0.2, decoupled)
    trained = finetune(network, collection, params, device="cpu")
    assert trained.history[0]["validation_loss"] == pytest.approx(before, rel=1e-5)
    history: list[dict[str, Any]] = trained.history
    assert history[-1]["train_loss"] < history[1]["train_loss"]


def test_trailers_of_one_film_are_not_told_apart(network: Network, collection: Collection) -> None:
    params = QUICK.model_copy(update={"loss": "literal", "epochs": 1, "constant_epochs": 0})
    alone = replace(collection, films=np.zeros(len(collection.ids), int))
    trained = finetune(network, alone, params, device="cpu")
    assert [row["validation_loss"] for row in trained.history] == [0, 0]


POOLED = QUICK.model_copy(update={"trains": "pooled", "width": 6, "pairs": "shuffled"})


def test_the_space_of_mean_features_begins_as_whitening(
    network: Network, collection: Collection
) -> None:
    members = collection.members("train")
    whiten(network, collection, members, 6)
    means = mean_features(network, collection, np.arange(len(collection.ids)))
    expected = PCA(6, whiten=True, svd_solver="full").fit(means[members]).transform(means)
    found = embed_collection(network, collection).trailer
    np.testing.assert_allclose(found, expected, atol=1e-4)
    with pytest.raises(CollectionError, match="the same mean features"):
        whiten(network, collection, members[:1].repeat(3), 6)


def test_the_space_is_no_wider_than_the_trailers_span(
    network: Network, collection: Collection
) -> None:
    whiten(network, collection, collection.members("train")[:4], 6)
    assert embed_collection(network, collection).trailer.shape[1] == 3


def test_the_network_stays_as_it_is_where_only_the_space_is_trained(
    network: Network, collection: Collection, tmp_path: Path
) -> None:
    before = embed_collection(network, collection)
    trained = finetune(network, collection, POOLED, device="cpu")
    after = embed_collection(trained.network, collection)
    assert np.array_equal(before.logits, after.logits)
    assert after.trailer.shape == (len(collection.ids), 6)
    history: list[dict[str, Any]] = trained.history
    assert history[-1]["train_loss"] < history[1]["train_loss"]
    description = ModelDescription(trained.network.config, {}, [])
    save_model(tmp_path, trained.network, description, trained.history, trained.kept)
    again = embed_collection(load_network(tmp_path), collection)
    assert np.array_equal(again.trailer, after.trailer)


def test_the_history_begins_before_training(network: Network, collection: Collection) -> None:
    found = embed_collection(network, collection)
    trained = finetune(network, collection, QUICK, device="cpu")
    assert [row["epoch"] for row in trained.history] == [0, 1, 2, 3]
    first = trained.history[0]
    assert "train_loss" not in first
    expected = silhouette(found.trailer, collection.primary)
    # The embeddings' last bits depend on the number of threads and on the processor.
    assert first["silhouette"] == pytest.approx(expected, abs=1e-5)


def test_labels_have_no_effect(
    network: Network, collection: Collection, config: NetworkConfig
) -> None:
    other = new_network(config, seed=0)
    other.load_state_dict(network.state_dict())
    blind = replace(
        collection,
        labels=np.zeros_like(collection.labels),
        primary=np.full_like(collection.primary, -1),
    )
    one = finetune(network, collection, QUICK, device="cpu")
    same = finetune(other, blind, QUICK, device="cpu")
    for mine, theirs in zip(one.network.parameters(), same.network.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert same.history[-1]["silhouette"] is None


def test_the_classifier_is_left_as_it_was(network: Network, collection: Collection) -> None:
    before = [p.detach().clone() for p in network.get_submodule("l").parameters()]
    trained = finetune(network, collection, QUICK, device="cpu")
    after = trained.network.get_submodule("l").parameters()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.fixture
def fitted(network: Network, collection: Collection) -> Network:
    """The network, fitted to the validation trailers until their loss is half of what it was."""
    roles = {"train": "validation", "validation": "train"}
    swapped = replace(collection, split=np.array([roles.get(s, s) for s in collection.split]))
    finetune(network, swapped, QUICK.model_copy(update={"epochs": 40, "lr": 3e-3}), device="cpu")
    return network


def test_the_best_epoch_may_be_the_beginning(fitted: Network, collection: Collection) -> None:
    before = {name: tensor.clone() for name, tensor in fitted.state_dict().items()}
    params = QUICK.model_copy(update={"lr": 0.5, "keep": "best"})
    trained = finetune(fitted, collection, params, device="cpu")
    losses: list[Any] = [row["validation_loss"] for row in trained.history]
    start, *later = losses
    assert start < min(later) - 0.5, "the set-up: no epoch comes near to the beginning"
    assert trained.kept == 0
    assert all(torch.equal(before[n], t) for n, t in trained.network.state_dict().items())


def test_patience_ends_fine_tuning(network: Network, collection: Collection) -> None:
    params = QUICK.model_copy(update={"epochs": 60, "lr": 0.5, "patience": 3})
    trained = finetune(network, collection, params, device="cpu")
    losses: list[Any] = [row["validation_loss"] for row in trained.history]
    best = losses.index(min(losses))
    assert len(losses) - 1 == best + 3 < 60
    assert trained.kept == len(losses) - 1


def test_mixed_precision_is_close_and_not_equal(
    network: Network, collection: Collection, config: NetworkConfig
) -> None:
    other = new_network(config, seed=0)
    other.load_state_dict(network.state_dict())
    half = QUICK.model_copy(update={"precision": "bfloat16"})
    mixed, exact = (
        finetune(start, collection, params, device="cpu")
        for start, params in ((network, half), (other, QUICK))
    )
    losses = [[row["train_loss"] for row in one.history[1:]] for one in (mixed, exact)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert losses[0] != losses[1]
    assert all(p.dtype == torch.float32 for p in mixed.network.parameters())


def test_a_trailer_that_cannot_be_cut_in_two_is_named(
    network: Network, collection: Collection
) -> None:
    offsets = collection.offsets.copy()
    offsets[3:] -= offsets[3] - offsets[2] - 1
    with pytest.raises(CollectionError, match="t02 has one: raise min_clips"):
        finetune(network, replace(collection, offsets=offsets), QUICK, device="cpu")
