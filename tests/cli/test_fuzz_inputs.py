"""The short form of benchmarks/fuzz_inputs.py: damaged inputs end right or with a sentence."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_damaged_inputs_end_right_or_with_a_sentence() -> None:
    # In a process of its own: it forks for each case, which needs a process without threads.
    command = [sys.executable, "-m", "benchmarks.fuzz_inputs", "--cases", "25", "--seed", "1"]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    *table, faults = done.stdout.strip().splitlines()
    assert faults == "0 faults"
    assert sum(map(int, table[-1].split()[1:])) == 25
