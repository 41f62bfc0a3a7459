"""The arithmetic behind benchmarks/embed.py."""

from argparse import Namespace
from pathlib import Path
from types import ModuleType

import pytest
import torch

import mmx
from mmx.experts.preprocess import Pixels
from mmx.experts.reading import read_samples
from mmx.experts.registry import get_expert

TOP = Path(mmx.__file__).parents[1]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TOP))
    from benchmarks import embed

    return embed


def test_the_limits_are_those_of_the_slower_thread_and_of_all_cores(bench: ModuleType) -> None:
    figures = bench.Figures(
        expert="lite_appearance",
        device="cpu",
        workers=2,
        samples=100,
        loop_per_s=25.0,
        overlapped_per_s=50.0,
        step_per_s=75.0,
        overlapped_ratio=2.0,
        step_ratio=3.0,
        loop_cpu_ms=40.0,
        overlapped_cpu_ms=18.0,
        decode_ms=3.0,
        prepare_ms=2.0,
        transfer_ms=1.0,
        network_ms=14.0,
        gflop=0.5,
        matrix_gflop_per_s=125.0,
    )
    assert figures.limit_per_s == pytest.approx(1000 / 15)
    assert figures.arithmetic_ms == 4.0
    lines = figures.lines()
    assert "network 14.00 ms (70%)" in lines and "transfer 1.00 ms (5%)" in lines
    assert "limits: one process 66.7, all 100.0" in lines
    assert "would take 4.00 ms, 20% of the sum" in lines


def test_the_loop_does_not_have_the_decoder_resize(bench: ModuleType) -> None:
    preprocess = get_expert("lite_appearance").preprocess
    assert isinstance(preprocess, Pixels)
    assert preprocess.decoded_size == (224, 160)
    assert bench.customary(get_expert("lite_appearance")).preprocess.decoded_size is None
    assert bench.customary(get_expert("senet154")) is get_expert("senet154")


def test_the_parts_are_measured_and_the_arithmetic_is_the_networks(
    bench: ModuleType, tmp_path: Path
) -> None:
    expert = get_expert("lite_appearance")
    options = Namespace(video=None, frames=5, batch=4)
    job = bench.make_job(expert, options, tmp_path)
    samples = [sample.data for sample in read_samples(job, expert)]
    parts = bench.parts_ms(expert, job, samples)
    assert len(samples) == 5
    assert min(parts[f"{part}_ms"] for part in ("decode", "transfer", "network")) > 0
    assert parts["prepare_ms"] >= 0
    # 0.385 G multiplications at 224 x 224, as published for the network, each with an addition.
    assert parts["gflop"] == pytest.approx(2 * 0.385 * 160 / 224, rel=0.05)
    threads = torch.get_num_threads()
    bench.loop(job, 1, threads + 1)
    assert torch.get_num_threads() == threads
