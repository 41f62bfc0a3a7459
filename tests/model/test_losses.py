"""Losses against the field's libraries, the equations written as loops, and closed forms."""

import math
from collections.abc import Callable
from typing import get_args

import pytest
import torch
from lightly.loss import NTXentLoss as LightlyLoss
from pytorch_metric_learning.losses import NTXentLoss as MetricLearningLoss
from torch import Tensor

from mmx.model.losses import CONTRASTS, decoupled, nt_xent, positive_weights, weighted_bce
from mmx.params import FinetuneParams


def views(pairs: int, width: int = 16, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(2, pairs, width, generator=generator))


def nt_xent_naively(first: Tensor, second: Tensor, temperature: float) -> float:
    """Equation 4 with the positive in its denominator, averaged: three loops."""
    z = [row.tolist() for row in (*first.double(), *second.double())]
    n = len(first)

    def similarity(a: list[float], b: list[float]) -> float:
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        return dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(x * x for x in b))

    total = 0.0
    for i in range(2 * n):
        positive = math.exp(similarity(z[i], z[(i + n) % (2 * n)]) / temperature)
        others = sum(math.exp(similarity(z[i], z[k]) / temperature) for k in range(2 * n) if k != i)
        total -= math.log(positive / others)
    return total / (2 * n)


@pytest.mark.parametrize("temperature", [0.07, 0.5, 2.0])
@pytest.mark.parametrize("pairs", [1, 2, 7, 32])
def test_nt_xent_equals_both_libraries_and_the_loop(pairs: int, temperature: float) -> None:
    first, second = views(pairs, seed=pairs)
    found = nt_xent(first, second, temperature).item()
    labels = torch.arange(pairs).repeat(2)
    metric_learning = MetricLearningLoss(temperature)(torch.cat([first, second]), labels)
    assert found == pytest.approx(LightlyLoss(temperature)(first, second).item(), abs=1e-6)
    assert found == pytest.approx(nt_xent_naively(first, second, temperature), abs=1e-6)
    if pairs > 1:  # without negatives that library returns 0
        assert found == pytest.approx(metric_learning.item(), abs=1e-6)
    else:
        assert found == 0


@pytest.mark.parametrize("pairs", [1, 2, 5, 50])
def test_equal_directions_give_the_logarithm_of_the_choices(pairs: int) -> None:
    direction = torch.randn(8, generator=torch.Generator().manual_seed(0))
    first = direction * torch.arange(1, pairs + 1)[:, None]
    assert nt_xent(first, 3 * first, 0.5).item() == pytest.approx(math.log(2 * pairs - 1), abs=1e-5)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_orthogonal_trailers_have_a_closed_form(temperature: float) -> None:
    first = torch.eye(6)
    expected = math.log(math.exp(1 / temperature) + 10) - 1 / temperature
    assert nt_xent(first, first, temperature).item() == pytest.approx(expected, abs=1e-6)


def test_nt_xent_is_symmetric_and_independent_of_length_and_order() -> None:
    first, second = views(9)
    loss = nt_xent(first, second, 0.5)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(nt_xent(second, first, 0.5), loss)
    torch.testing.assert_close(nt_xent(first[order], second[order], 0.5), loss)
    torch.testing.assert_close(nt_xent(first * 7, second * 0.01, 0.5), loss)


def test_nt_xent_is_lower_for_matching_views() -> None:
    first, second = views(9)
    near = nt_xent(first, first + 0.1 * second, 0.5)
    assert near < nt_xent(first, second, 0.5)
    assert near < nt_xent(first, (first + 0.1 * second).roll(1, 0), 0.5)


@pytest.mark.parametrize("pairs", [2, 7])
@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_the_literal_form_leaves_the_positive_out(pairs: int, temperature: float) -> None:
    first, second = views(pairs)
    z = [row / row.norm() for row in torch.cat([first, second]).double()]
    total = 0.0
    for i, own in enumerate(z):
        partner = (i + pairs) % (2 * pairs)
        others = [n for n in range(2 * pairs) if n not in (i, partner)]
        below = sum(math.exp(float(own @ z[n]) / temperature) for n in others)
        total -= float(own @ z[partner]) / temperature - math.log(below)
    found = decoupled(first, second, temperature).item()
    assert found == pytest.approx(total / (2 * pairs), abs=1e-5)
    assert found < nt_xent(first, second, temperature).item()


@pytest.mark.parametrize("loss", CONTRASTS.values())
def test_another_trailer_of_the_same_film_is_no_negative(loss: Callable[..., Tensor]) -> None:
    first, second = views(4)
    films = torch.tensor([5, 2, 5, 7])
    z = [row / row.norm() for row in torch.cat([first, second]).double()]
    literal, total = loss is decoupled, 0.0
    for i, own in enumerate(z):
        partner = (i + 4) % 8
        others = [n for n in range(8) if films[n % 4] != films[i % 4]]
        others += [] if literal else [partner]
        below = sum(math.exp(float(own @ z[n]) / 0.5) for n in others)
        total -= float(own @ z[partner]) / 0.5 - math.log(below)
    assert loss(first, second, 0.5, films).item() == pytest.approx(total / 8, abs=1e-5)
    assert loss(first, second, 0.5, torch.arange(4)).item() == loss(first, second, 0.5).item()


def test_trailers_of_a_single_film_have_nothing_to_be_told_apart_from() -> None:
    first, second = views(3)
    assert decoupled(first, second, 0.5, torch.zeros(3)).item() == 0


def test_a_single_pair_has_no_negatives() -> None:
    first, second = (view.requires_grad_() for view in views(1))
    loss = decoupled(first, second, 0.5)
    loss.backward()
    assert loss.item() == 0 and first.grad is not None and not first.grad.any()


def test_every_reading_of_equation_4_is_a_parameter() -> None:
    kinds = FinetuneParams.model_fields["loss"].annotation
    assert set(get_args(kinds)) == set(CONTRASTS)


def test_losses_are_single_precision_whatever_they_are_given() -> None:
    first, second = views(4)
    assert nt_xent(first.bfloat16(), second.bfloat16(), 0.5).dtype == torch.float32
    loss = weighted_bce(first.bfloat16(), (second > 0).byte(), torch.ones(16))
    assert loss.dtype == torch.float32


def test_weighted_bce_is_equation_3() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(6, 5, generator=generator)
    labels = (torch.rand(6, 5, generator=generator) < 0.4).byte()
    weights = torch.tensor([1.0, 2.5, 10.0, 0.5, 4.0])
    total = 0.0
    for b in range(6):
        for g in range(5):
            p = 1 / (1 + math.exp(-logits[b, g].item()))
            y = labels[b, g].item()
            total -= weights[g].item() * y * math.log(p) + (1 - y) * math.log(1 - p)
    found = weighted_bce(logits, labels, weights).item()
    assert found == pytest.approx(total / 30, abs=1e-6)


def test_weighted_bce_of_zero_logits() -> None:
    labels = torch.tensor([[1, 0], [0, 0]])
    found = weighted_bce(torch.zeros(2, 2), labels, torch.tensor([3.0, 1.0])).item()
    assert found == pytest.approx(math.log(2) * (3 + 1 + 1 + 1) / 4, abs=1e-6)


def test_weighted_bce_survives_extreme_logits() -> None:
    logits = torch.tensor([[200.0, -200.0]])
    assert weighted_bce(logits, torch.tensor([[1, 0]]), torch.ones(2)).item() == 0
    assert weighted_bce(logits, torch.tensor([[0, 1]]), torch.ones(2)).item() == 200


def test_positive_weights_balance_each_genre() -> None:
    labels = torch.tensor([[1, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 1], [1, 0, 0, 1]])
    assert positive_weights(labels, 10).tolist() == [0, 3, 10, 1]
    assert positive_weights(labels, 2).tolist() == [0, 2, 2, 1]
