"""Run the numeric tests with the kernels of several kinds of processor, on this one.

Libraries choose their kernels by the processor that they find, and round differently with each.
What makes them take those of another kind is in processors.toml. It is set before Python starts,
so that the worker processes of the tests have it too. Arguments go to pytest in place of FOLDERS:

    python scripts/test_processors.py tests/training -k fine
"""

import importlib
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
from llvmlite import binding

ROOT = Path(__file__).parents[1]
FOLDERS = [f"tests/{name}" for name in ("model", "training", "flow", "experts", "evaluation")]
COMMAND = ("-m", "pytest", "-q", "--numprocesses", "2", "--dist", "loadfile", "-m", "not browser")


@dataclass(frozen=True)
class KindResult:
    """How the tests went under one kind of processor."""

    kind: str
    passed: bool
    summary: str
    """What to print of it."""


def missing(variables: dict[str, str]) -> list[str]:
    """Return the instruction sets that a kind would need and this machine lacks."""
    here = binding.get_host_cpu_features()
    needed = variables.get("NUMBA_CPU_FEATURES", "").replace("+", "").split(",")
    return [each for each in needed if each and not here.get(each)]


def adapt(variables: dict[str, str]) -> dict[str, str]:
    """Leave out of what is to be disabled what this machine lacks: the libraries would complain."""
    numpy = importlib.import_module("numpy._core._multiarray_umath")
    here = {
        "NPY_DISABLE_CPU_FEATURES": [
            n for n in numpy.__cpu_dispatch__ if numpy.__cpu_features__[n]
        ],
        "OPENCV_CPU_DISABLE": cv2.getCPUFeaturesLine().replace("*", "").split(),
    }
    disabled = {
        variable: ",".join(each for each in variables[variable].split(",") if each in present)
        for variable, present in here.items()
        if variable in variables
    }
    return variables | disabled


def run_tests(kind: str, variables: dict[str, str], arguments: Sequence[str]) -> KindResult:
    """Run pytest as one kind of processor, printing what it prints."""
    if lacking := missing(variables):
        return KindResult(kind, True, f"skipped: this processor has no {', '.join(lacking)}")
    print(f"\n{kind}", flush=True)
    begun, last = time.monotonic(), ""
    with subprocess.Popen(
        [sys.executable, *COMMAND, *arguments],
        cwd=ROOT,
        env=os.environ | adapt(variables),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        for last in process.stdout or ():
            print(last, end="", flush=True)
    passed = process.returncode == 0
    seconds = round(time.monotonic() - begun)
    return KindResult(
        kind, passed, f"{'passed' if passed else 'FAILED'} after {seconds} s: {last.strip()}"
    )


def main(arguments: Sequence[str]) -> int:
    """Run the tests under every kind; return 1 if they failed under any."""
    kinds = tomllib.loads(Path(__file__).with_name("processors.toml").read_text())
    results = [run_tests(kind, variables, arguments) for kind, variables in kinds.items()]
    print()
    for result in results:
        print(f"{result.kind:28}{result.summary}")
    return 0 if all(result.passed for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or FOLDERS))
