"""The arithmetic behind benchmarks/flow.py."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import mmx

TOP = Path(mmx.__file__).parents[1]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    monkeypatch.syspath_prepend(str(TOP))
    from benchmarks import flow, flow_batch, flow_pairs, flow_parts, flow_storage

    return SimpleNamespace(
        flow=flow, batch=flow_batch, pairs=flow_pairs, parts=flow_parts, storage=flow_storage
    )


def test_energy_is_the_formula(bench: SimpleNamespace) -> None:
    """A ramp that moves by two pixels, seen with a flow of one step: both terms by hand."""
    ramp = np.tile(np.arange(40, dtype=np.float32) * 3, (20, 1))
    flow = np.zeros((20, 40, 2), np.float32)
    flow[:, 20:, 0] = 0.5
    variation = 0.5 * 20
    still, moved = 3 * 2 * 20 * 20, abs(3 * 2 - 3 * 0.5) * 20 * 20
    expected = variation + 0.15 * (still + moved)
    found = bench.pairs.energy(ramp, ramp - 6, flow)
    edge = 0.15 * 20 * 2 * 120
    assert abs(found - expected) < edge


def test_flows_are_compared_in_pixels_and_levels(bench: SimpleNamespace) -> None:
    frame = np.random.default_rng(0).integers(0, 255, (10, 10), dtype=np.uint8)
    ours, theirs = np.zeros((2, 10, 10, 2), np.float32)
    theirs[:5, :, 0] = 0.4
    difference = bench.pairs.compare(frame, frame, ours, theirs)
    assert difference.mean == pytest.approx(0.2)
    assert difference.p99 == pytest.approx(0.4)
    assert difference.levels == pytest.approx(0.25)
    assert difference.energy < 1.0


def test_a_nudged_frame_differs_in_last_bits_only(bench: SimpleNamespace) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (30, 40), dtype=np.uint8)
    nudged, plain = bench.pairs.nudge(frame, 0), frame.astype(np.float32) / np.float32(255)
    assert 0.4 < (nudged != plain).mean() < 0.6
    np.testing.assert_array_max_ulp(nudged, plain, 1)


def footage(bench: SimpleNamespace, pairs: Any) -> Any:
    return bench.pairs.Footage(Path("x"), len(pairs), (10, 10), pairs)


def test_thinning_keeps_pairs_from_everywhere(bench: SimpleNamespace) -> None:
    every = [
        footage(bench, {0: [(0, 1), (1, 2)], 1: [(5, 6), (6, 7)]}),
        footage(bench, {0: [(0, 1), (1, 2), (2, 3), (3, 4)]}),
    ]
    kept = bench.pairs.thin(every, 4)
    assert [each.pairs for each in kept] == [
        {0: [(1, 2)], 1: [(6, 7)]},
        {0: [(1, 2), (3, 4)]},
    ]


def test_figures_add_up(bench: SimpleNamespace) -> None:
    near = bench.pairs.Difference(0.01, 0.1, 0.002, 1.0)
    far, itself = (bench.pairs.Difference(mean, 1.0, 0.1, 1.01) for mean in (0.2, 0.3))
    spent = bench.flow.Spent
    pairs = [
        bench.flow.Measured("a", spent(0.1, 0.2), spent(3.0, 3.0), near, None),
        bench.flow.Measured("b", spent(0.3, 0.4), spent(5.0, 6.0), far, itself),
    ]
    figures = bench.flow.Figures(
        224,
        pairs,
        bench.parts.Parts(1, 2, 3, 4, 5),
        bench.flow.AllCores(2, 2, 16.0, 16.0, 9.0, 5.0),
    )
    assert figures.total("ours") == pytest.approx(0.4)
    assert figures.core_days("ours") == pytest.approx(0.2 * 37_866_450 / 86400)
    text = figures.lines()
    assert "ratio 20.0 (by the clock 15.0; single pairs 16.7 to 30.0)" in text
    assert "our processes 2.00 times one, OpenCV's threads 1.80 times one; ratio 10.0" in text
    assert "b: ours by OpenCV's 0.200 px, energy 1.0100; OpenCV's by its own" in text
    assert "a: ours" not in text


def test_every_way_to_store_gives_back_what_it_got(bench: SimpleNamespace) -> None:
    rng = np.random.default_rng(1)
    images = [rng.integers(100, 150, (24, 31, 2), dtype=np.uint8) for _ in range(5)]
    ways = bench.storage.measure_ways(images)
    assert len(ways) == 1 + len(bench.storage.WAYS)
    for way in ways:
        assert way.lossless == ("lossy" not in way.name), way.name
        assert way.bytes > 0


@pytest.mark.slow
def test_parts_are_those_of_the_same_solver(bench: SimpleNamespace, kit: SimpleNamespace) -> None:
    moving = kit.translation(48, 64, 1.0, 0.0)
    parts = bench.parts.take_apart([(moving.prev, moving.next)])
    assert parts.pixel_iterations > 0
    assert min(parts.warp, parts.median, parts.iterations) > 0


@pytest.mark.slow
def test_batches_of_all_sizes_are_compared(
    bench: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = np.random.default_rng(0)
    sizes = [(16, 18), (17, 16), (16, 18)]
    pairs = [tuple(chance.integers(0, 256, (2, *size), dtype=np.uint8)) for size in sizes]
    figures = bench.batch.measure_batches(pairs, "cpu")
    assert (figures.pairs, figures.equal, figures.farthest) == (3, 3, 0.0)
    assert figures.ms > 0 and "3 of 3 pairs" in figures.line()
    solve = bench.batch.solve
    monkeypatch.setattr(
        bench.batch, "solve", lambda pairs, device: (solve(pairs, device)[0] + np.float32(0.5), 1.0)
    )
    moved = bench.batch.measure_batches(pairs, "cpu")
    assert moved.equal == 0 and moved.farthest >= 0.5 and moved.ms == pytest.approx(2000 / 3)
