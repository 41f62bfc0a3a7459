"""Coarse training: it learns, it repeats, it stops where it should."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
import torch

from mmx.model.config import NetworkConfig
from mmx.model.losses import weighted_bce
from mmx.params import TrainParams
from mmx.training.coarse import average_precision, coarse_losses, train
from mmx.training.data import Collection
from mmx.training.embed import embed_collection
from mmx.training.errors import CollectionError

QUICK = TrainParams(epochs=3, batch=4, lr=1e-3, threads=1)


def weights_equal(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


@pytest.mark.slow
def test_a_tiny_collection_is_overfitted(collection: Collection, config: NetworkConfig) -> None:
    params = TrainParams(epochs=80, batch=4, lr=1e-2, threads=1)
    trained = train(collection, config, params, device="cpu")
    members = collection.members("train")
    found = embed_collection(trained.network, collection, members)
    assert np.array_equal(found.logits > 0, collection.labels[members] == 1)
    history: list[dict[str, Any]] = trained.history
    assert history[-1]["train_loss"] < 0.05 < history[0]["train_loss"]
    assert [row["epoch"] for row in trained.history] == list(range(1, 81))


def test_equal_seeds_give_equal_weights(collection: Collection, config: NetworkConfig) -> None:
    one, same = (train(collection, config, QUICK, device="cpu") for _ in range(2))
    assert weights_equal(one.network, same.network)
    assert one.history == same.history
    other = train(collection, config, QUICK.model_copy(update={"seed": 1}), device="cpu")
    assert not weights_equal(one.network, other.network)


@pytest.mark.parametrize("change", [{"clip_dropout": 0.5}, {"feature_noise": 0.5}])
def test_augmentation_changes_training_and_repeats(
    change: dict[str, Any], collection: Collection, config: NetworkConfig
) -> None:
    params = QUICK.model_copy(update=change)
    one, same = (train(collection, config, params, device="cpu") for _ in range(2))
    plain = train(collection, config, QUICK, device="cpu")
    assert weights_equal(one.network, same.network)
    assert not weights_equal(one.network, plain.network)


def test_validation_is_watched_as_the_libraries_measure_it(
    collection: Collection, config: NetworkConfig
) -> None:
    trained = train(collection, config, QUICK, device="cpu")
    members = collection.members("validation")
    found = embed_collection(trained.network, collection, members)
    truth = collection.labels[members]
    micro, macro = average_precision(truth, found.logits)
    last = trained.history[-1]
    assert last["validation_ap_micro"] == pytest.approx(micro, abs=1e-6)
    assert last["validation_ap_macro"] == pytest.approx(macro, abs=1e-6)
    positives = collection.labels[collection.members("train")].sum(0)
    positive = torch.tensor([min((10 - p) / p, 10) for p in positives.astype(float)])
    loss = weighted_bce(torch.from_numpy(found.logits), torch.from_numpy(truth), positive)
    assert last["validation_loss"] == pytest.approx(loss.item(), rel=1e-5)


def test_the_test_split_has_no_effect(collection: Collection, config: NetworkConfig) -> None:
    turned = collection.labels.copy()
    members = collection.members("test")
    turned[members] = 1 - turned[members]
    changed = replace(collection, labels=turned)
    one = train(collection, config, QUICK, device="cpu")
    other = train(changed, config, QUICK, device="cpu")
    assert weights_equal(one.network, other.network)
    assert one.history == other.history


@pytest.mark.slow
def test_the_best_epoch_is_kept(collection: Collection, config: NetworkConfig) -> None:
    params = QUICK.model_copy(update={"epochs": 5, "lr": 2e-2, "keep": "best"})
    trained = train(collection, config, params, device="cpu")
    figures: list[Any] = [row["validation_ap_micro"] for row in trained.history]
    others = figures[:3] + figures[4:]
    assert max(others) < figures[3] - 0.05, "the set-up: the fourth epoch is the best by far"
    assert trained.kept == 4
    shorter = params.model_copy(update={"epochs": trained.kept, "keep": "last"})
    assert weights_equal(trained.network, train(collection, config, shorter, device="cpu").network)


def test_patience_ends_a_training(collection: Collection, config: NetworkConfig) -> None:
    params = QUICK.model_copy(update={"epochs": 60, "lr": 2e-2, "patience": 4})
    trained = train(collection, config, params, device="cpu")
    figures: list[Any] = [row["validation_ap_micro"] for row in trained.history]
    best = 1 + figures.index(max(figures))
    assert len(figures) == best + 4 < 60
    assert trained.kept == len(figures)


def test_mixed_precision_is_close_and_not_equal(
    collection: Collection, config: NetworkConfig
) -> None:
    mixed = train(
        collection, config, QUICK.model_copy(update={"precision": "bfloat16"}), device="cpu"
    )
    exact = train(collection, config, QUICK, device="cpu")
    losses = [[row["train_loss"] for row in one.history] for one in (mixed, exact)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert losses[0] != losses[1]
    assert all(p.dtype == torch.float32 for p in mixed.network.parameters())


@pytest.mark.parametrize("head", ["none", "probe", "only"])
def test_what_each_head_is_trained_by(
    head: Literal["none", "probe", "only"], collection: Collection, config: NetworkConfig
) -> None:
    trained = train(collection, replace(config, sequence_head=head), QUICK, device="cpu")
    output = trained.network(collection.trailers([2, 4]))
    labels = torch.from_numpy(collection.labels[[2, 4]])
    positive = torch.tensor([1.0, 2.0, 3.0])
    loss, beside = coarse_losses(output, labels, positive, trained.network.config)
    of_trailers = weighted_bce(output.logits, labels, positive)
    if head == "none":
        assert loss == of_trailers and beside == 0
        return
    rows = labels[output.spans.trailer]
    of_sequences = weighted_bce(output.sequence_logits, rows, positive)
    assert (loss, beside) == {
        "probe": (of_trailers, of_sequences),
        "only": (of_sequences, torch.zeros(())),
    }[head]


def test_average_precision_is_the_sum_over_ranks() -> None:
    rng = np.random.default_rng(0)
    truth, scores = (rng.random((30, 3)) < 0.3).astype(np.uint8), rng.random((30, 3))
    truth[:, 2] = 0

    def naively(hits: np.ndarray, by: np.ndarray) -> float:
        hits = hits[np.argsort(-by)]
        ranks = 1 + np.flatnonzero(hits)
        return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))

    micro, macro = average_precision(truth, scores)
    each = [naively(truth[:, g], scores[:, g]) for g in range(2)]
    assert micro == pytest.approx(naively(truth.ravel(), scores.ravel()))
    assert macro == pytest.approx(np.mean(each))
    assert average_precision(np.zeros((4, 2)), np.zeros((4, 2))) == (None, None)


def test_too_few_trailers_are_refused(collection: Collection, config: NetworkConfig) -> None:
    lonely = replace(collection, split=np.array(["train"] + ["test"] * 19))
    with pytest.raises(CollectionError, match=r"has 1 and 0: add trailers"):
        train(lonely, config, QUICK, device="cpu")


def test_a_collection_of_other_features_is_refused(
    collection: Collection, config: NetworkConfig
) -> None:
    with pytest.raises(CollectionError, match="audio of width 5 over time"):
        train(collection.select(["appearance", "motion"]), config, QUICK, device="cpu")
