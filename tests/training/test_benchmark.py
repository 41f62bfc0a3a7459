"""The training benchmark's arithmetic, and a run of it in miniature."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "train.py"
    spec = importlib.util.spec_from_file_location("benchmarks_train", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_trailers_are_as_long_as_they_are_said_to_be(benchmark: ModuleType) -> None:
    trailers = benchmark.shots(2000, np.random.default_rng(0))
    counts = [len(lengths) for lengths in trailers]
    assert min(counts) >= 10
    assert max(counts) <= 360
    usual = [lengths for lengths in trailers if 10 < len(lengths) < 360]
    assert all(lengths.sum() <= 180 for lengths in usual)
    assert 1.9 < np.median(np.concatenate(trailers)) < 2.5
    assert 40 < np.median(counts) < 75


def test_random_collections_have_the_papers_widths(benchmark: ModuleType) -> None:
    collection = benchmark.random_collection([np.array([0.5, 2.0, 3.0])], seed=0)
    widths = {m.name: (m.width, m.sequence) for m in collection.modalities}
    assert widths == {
        "appearance": (2048, False),
        "scene": (512, False),
        "motion": (1024, False),
        "audio": (128, True),
    }
    assert collection.trailers([0]).features["audio"].counts.tolist() == [1, 2, 3]


def test_the_summary_leaves_out_the_first_step(benchmark: ModuleType) -> None:
    found = {
        "mmx": {
            "loss": [1.0, 0.5, 0.25],
            "wall_s": [9.0, 1.0, 3.0],
            "cpu_s": [9.0, 2.0, 2.0],
            "bytes": [2**30, 2**31, 2**31],
        },
        "padded": {
            "loss": [1.0, 0.5, 0.26],
            "wall_s": [9.0, 10.0, 18.0],
            "cpu_s": [9.0, 10.0, 14.0],
            "bytes": [2**32, 2**32, 2**32],
        },
    }
    summary = benchmark.summarise(found, benchmark.Task(batch=100, steps=2, threads=1))
    assert summary["mmx"] == {
        "step_s": 2.0,
        "step_core_s": 2.0,
        "epoch_min": pytest.approx(2.0 * 76 / 60),
        "peak_gib": 2.0,
    }
    assert summary["times_faster_wall_s"] == 8.0
    assert summary["times_faster_cpu_s"] == 6.0
    assert summary["largest_loss_difference"] == pytest.approx(0.01)
