"""Short forms of benchmarks/torture.py: the real DVC, killed and damaged."""

from pathlib import Path

import pytest

from benchmarks.torture import flip_bits, kill_runs, whole_project

pytestmark = pytest.mark.slow

EXPERTS = ("lite_motion",)
"""One chain of every kind of step: fewer stages for DVC to start."""


def test_killed_runs_end_with_the_same_bytes(tmp_path: Path) -> None:
    tally = kill_runs(tmp_path, runs=1, trailers=4, seed=3, seconds=0.3, experts=EXPERTS)
    assert tally.faults == []
    assert tally.counts["runs killed"] == 1
    assert tally.counts["items finished before the kill"] > 0
    assert tally.counts["items computed after the kill"] > 0
    assert tally.counts["finished items computed again"] == 0


def test_flipped_bits_are_found_and_repaired(tmp_path: Path) -> None:
    tally = flip_bits(whole_project(tmp_path, 4, EXPERTS), bits=16, seed=0, batch=16)
    assert tally.faults == []
    assert tally.counts["damaged artefacts found"] == 16
    assert tally.counts["healthy files reported"] == 0
