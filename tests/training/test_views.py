"""The clips of a training step."""

from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmx.params import FinetuneParams
from mmx.training.data import Collection
from mmx.training.views import (
    add_noise,
    drop_modalities,
    halves,
    make_pair,
    random_sequences,
    shuffled_halves,
    side_by_side,
    thin,
)

SIZES = st.integers(2, 60)
SEEDS = st.integers(0, 2**31)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("count", "first", "second"), [(2, [10], [11]), (5, [10, 11], [12, 13, 14])]
)
def test_halves_are_cut_in_the_middle(count: int, first: list[int], second: list[int]) -> None:
    one, other = halves(np.arange(10, 10 + count))
    assert one.tolist() == first
    assert other.tolist() == second


@settings(deadline=None)
@given(SIZES, st.integers(1, 12), SEEDS)
def test_random_sequences_are_two_runs_apart(count: int, length: int, seed: int) -> None:
    clips = np.arange(100, 100 + count)
    one, other = random_sequences(clips, length, seeded(seed))
    for run in (one, other):
        assert len(run) == min(length, count // 2)
        assert (np.diff(run) == 1).all()
        assert set(run) <= set(clips)
    assert not set(one) & set(other)


def test_random_sequences_are_anywhere_and_in_any_order() -> None:
    generator = seeded(0)
    seen = Counter(
        tuple(run[0] for run in random_sequences(np.arange(4), 1, generator)) for _ in range(2000)
    )
    assert seen.keys() == {(a, b) for a in range(4) for b in range(4) if a != b}


@settings(deadline=None)
@given(SIZES, SEEDS)
def test_shuffled_halves_share_out_the_clips(count: int, seed: int) -> None:
    clips = np.arange(100, 100 + count)
    one, other = shuffled_halves(clips, seeded(seed))
    assert sorted([*one, *other]) == clips.tolist()
    assert len(other) - len(one) in (0, 1)
    assert (np.diff(one) > 0).all()
    assert (np.diff(other) > 0).all()


def test_pairs_by_name() -> None:
    clips = np.arange(9)
    functions: dict[Literal["halves", "random", "shuffled"], Callable[[torch.Generator], Any]] = {
        "halves": lambda g: halves(clips),
        "random": lambda g: random_sequences(clips, 3, g),
        "shuffled": lambda g: shuffled_halves(clips, g),
    }
    for name, function in functions.items():
        found = make_pair(clips, 3, FinetuneParams(pairs=name), seeded(7))
        expected = function(seeded(7))
        assert [view.tolist() for view in found] == [view.tolist() for view in expected]


def test_thinning_keeps_the_share_the_order_and_at_least_one() -> None:
    generator, clips = seeded(0), np.arange(2000)
    kept = thin(clips, 0.25, generator)
    assert 1440 < len(kept) < 1560
    assert (np.diff(kept) > 0).all()
    assert all(len(thin(np.arange(3), 0.99, generator)) >= 1 for _ in range(100))


def test_thinning_by_nothing_draws_nothing() -> None:
    generator = seeded(0)
    before = generator.get_state()
    assert thin(np.arange(5), 0.0, generator).tolist() == [0, 1, 2, 3, 4]
    assert torch.equal(generator.get_state(), before)


def test_noise_has_the_amount_asked_for(collection: Collection) -> None:
    batch = collection.trailers(np.arange(20))
    scales = {m.name: torch.arange(1.0, m.width + 1) for m in collection.modalities}
    noisy = add_noise(batch, scales, 0.5, seeded(0))
    for name, feature in batch.features.items():
        moved = (noisy.features[name].values - feature.values) / scales[name]
        assert moved.mean().abs() < 0.05
        assert moved.std() == pytest.approx(0.5, abs=0.05)
        assert torch.equal(noisy.features[name].clips, feature.clips)
    assert add_noise(batch, scales, 0.0, seeded(0)) is batch


def test_first_views_come_first() -> None:
    pairs = [(np.array([0]), np.array([1])), (np.array([2]), np.array([3, 4]))]
    assert [view.tolist() for view in side_by_side(pairs)] == [[0], [2], [1], [3, 4]]


def test_a_modality_is_left_out_of_whole_trailers_and_never_all(collection: Collection) -> None:
    batch = collection.trailers(np.arange(len(collection.ids)).repeat(50))
    thinned = drop_modalities(batch, 0.4, seeded(0))
    owner = torch.arange(len(batch.lengths)).repeat_interleave(batch.lengths)
    present = torch.zeros(len(batch.lengths), len(batch.features), dtype=torch.bool)
    for column, (name, feature) in enumerate(batch.features.items()):
        found = thinned.features[name]
        present[owner[found.clips], column] = True
        kept = torch.isin(owner[feature.clips], owner[found.clips])
        assert torch.equal(feature.clips[kept], found.clips)
        assert torch.equal(feature.counts[kept], found.counts)
        assert torch.equal(feature.values[kept.repeat_interleave(feature.counts)], found.values)
    assert present.any(1).all()
    assert 0.55 < present.double().mean() < 0.8
    assert drop_modalities(batch, 0.0, seeded(0)) is batch
