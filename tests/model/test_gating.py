"""Gating and GEM against equations 1 and 2 written with loops, clip by clip, pair by pair."""

from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
import torch
from torch import Tensor

from mmx.model.config import GatingConfig
from mmx.model.gating import CollaborativeGating, GatedEmbedding, PairSum, PaperGate

DIM, CLIPS, EXPERTS = 6, 5, 4


@pytest.fixture
def experts() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return list(torch.randn(EXPERTS, CLIPS, DIM, generator=generator, dtype=torch.float64))


@pytest.fixture
def present() -> Tensor:
    present = torch.ones(CLIPS, EXPERTS, dtype=torch.bool)
    present[1, 3] = present[2, 0] = present[2, 3] = False
    present[3] = torch.tensor([False, True, False, False])
    return present


def make_gating(**options: Any) -> CollaborativeGating:
    torch.manual_seed(2)
    return CollaborativeGating(DIM, EXPERTS, GatingConfig(**options)).double()


def apply_linear(layer: torch.nn.Linear, vector: Tensor) -> Tensor:
    return layer.weight @ vector + layer.bias


def g(pairs: PairSum, own: Tensor, partner: Tensor) -> Tensor:
    """g of equation 1 on the concatenated pair: linear, ReLU, linear."""
    first = torch.cat([pairs.own.weight, pairs.partner.weight], dim=1)
    hidden = first @ torch.cat([own, partner]) + pairs.own.bias
    return apply_linear(pairs.last, hidden.clamp(min=0))


def h(gating: CollaborativeGating, total: Tensor) -> Tensor:
    """h of equation 1: ReLU, linear, ReLU, linear."""
    gate = gating.gates[0]
    assert isinstance(gate, PaperGate)
    _, first, _, second = gate.h
    assert isinstance(first, torch.nn.Linear) and isinstance(second, torch.nn.Linear)
    return apply_linear(second, apply_linear(first, total.clamp(min=0)).clamp(min=0))


def gate_naively(
    gating: CollaborativeGating, experts: list[Tensor], present: Tensor
) -> list[Tensor]:
    """Equations 1 and 2 for every clip by itself."""
    config = gating.config
    results = [torch.zeros_like(expert) for expert in experts]
    for clip in range(CLIPS):
        seen = [expert[clip].clone() for expert in experts]
        for e in range(EXPERTS):
            total = torch.zeros(DIM, dtype=torch.float64)
            for f in range(EXPERTS):
                if (f != e or config.include_self) and present[clip, e] and present[clip, f]:
                    total = total + g(gating.pairs, experts[e][clip], seen[f])
            gated = experts[e][clip] * torch.sigmoid(h(gating, total))
            results[e][clip] = gated
            if config.order == "sequential":
                seen[e] = gated
    return results


@pytest.mark.parametrize("order", ["simultaneous", "sequential"])
@pytest.mark.parametrize("include_self", [False, True])
def test_gating_is_equations_1_and_2(
    order: str, include_self: bool, experts: list[Tensor], present: Tensor
) -> None:
    gating = make_gating(order=order, include_self=include_self)
    found = gating(experts, present)
    expected = gate_naively(gating, experts, present)
    for e in range(EXPERTS):
        torch.testing.assert_close(found[e], expected[e], atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("form", ["paper", "original"])
def test_values_of_a_missing_expert_have_no_effect(
    form: str, experts: list[Tensor], present: Tensor
) -> None:
    gating = make_gating(form=form).eval()
    before = gating(experts, present)
    changed = [torch.where(present[:, e, None], y, 1e3) for e, y in enumerate(experts)]
    after = gating(changed, present)
    for e in range(EXPERTS):
        rows = present[:, e]
        assert torch.equal(before[e][rows], after[e][rows])


def test_present_partners_matter(experts: list[Tensor], present: Tensor) -> None:
    gating = make_gating()
    changed = [*experts[:3], experts[3] + 1]
    difference = (gating(changed, present)[0] - gating(experts, present)[0]).abs().amax(1)
    assert (difference > 0).tolist() == (present[:, 0] & present[:, 3]).tolist()


@pytest.mark.parametrize("order", list(permutations(range(EXPERTS)))[1::5])
def test_simultaneous_gating_does_not_depend_on_the_order_of_experts(
    order: tuple[int, ...], experts: list[Tensor], present: Tensor
) -> None:
    gating = make_gating()
    straight = gating(experts, present)
    permuted = gating([experts[e] for e in order], present[:, list(order)])
    for place, e in enumerate(order):
        torch.testing.assert_close(permuted[place], straight[e], atol=1e-12, rtol=1e-12)


def test_sequential_gating_depends_on_the_order_of_experts(
    experts: list[Tensor], present: Tensor
) -> None:
    gating = make_gating(order="sequential")
    straight = gating(experts, present)
    backward = gating(experts[::-1], present.flip(1))[::-1]
    assert (straight[0] - backward[0]).abs().max() > 1e-4


def test_the_first_of_sequential_gating_is_that_of_simultaneous(
    experts: list[Tensor], present: Tensor
) -> None:
    one = make_gating(order="sequential")(experts, present)
    other = make_gating()(experts, present)
    assert torch.equal(one[0], other[0])
    assert not torch.equal(one[1], other[1])


def test_gated_embedding_is_its_formula(experts: list[Tensor]) -> None:
    torch.manual_seed(3)
    module = GatedEmbedding(DIM).double()
    found = module(experts[0])
    for clip in range(CLIPS):
        hidden = apply_linear(module.fc, experts[0][clip])
        gated = hidden / (1 + torch.exp(-apply_linear(module.gate, hidden)))
        expected = gated / gated.square().sum().sqrt()
        torch.testing.assert_close(found[clip], expected, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("module", [make_gating, lambda: make_gating(form="original").eval()])
def test_gradients_are_those_of_differences(
    module: Callable[[], CollaborativeGating], experts: list[Tensor], present: Tensor
) -> None:
    gating = module()
    inputs = [expert.clone().requires_grad_() for expert in experts]
    assert torch.autograd.gradcheck(
        lambda *given: torch.cat(gating(list(given), present)), inputs, atol=1e-6, fast_mode=True
    )
