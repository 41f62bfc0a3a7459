"""Run the numeric tests with the kernels of several kinds of processor, on this machine.

Libraries choose their kernels by processor, and results of different kernels differ by rounding.
processors.toml has the environment variables that select the kernels of another kind. They are set
before Python starts, so that worker processes have them too. Arguments replace FOLDERS for pytest:

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

from mmx.engine.processor import CAPS

ROOT = Path(__file__).parents[1]
FOLDERS = [f"tests/{name}" for name in ("model", "training", "flow", "experts", "evaluation")]
COMMAND = ("-m", "pytest", "-q", "--numprocesses", "2", "--dist", "worksteal", "-m", "not browser")


@dataclass(frozen=True)
class KindResult:
    """Result of the tests with the kernels of one kind of processor."""

    kind: str
    passed: bool
    summary: str
    """Text to print."""


def with_cap(section: dict[str, str]) -> dict[str, str]:
    """Return a section's variables, with those of the cap on workers that it names, if any."""
    variables = dict(section)
    cap = variables.pop("cap", "")
    return CAPS[cap] | variables if cap else variables


def missing(variables: dict[str, str]) -> list[str]:
    """Return the instruction sets that a kind needs and this machine lacks."""
    here = binding.get_host_cpu_features()
    needed = variables.get("NUMBA_CPU_FEATURES", "").replace("+", "").split(",")
    return [each for each in needed if each and not here.get(each)]


def adapt(variables: dict[str, str]) -> dict[str, str]:
    """Remove features that this machine lacks from those to disable: the libraries would warn."""
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
    """Run pytest with the kernels of one kind of processor and print its output."""
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
    """Run the tests for every kind; return 1 if they failed for any."""
    kinds = tomllib.loads(Path(__file__).with_name("processors.toml").read_text())
    results = [run_tests(kind, with_cap(each), arguments) for kind, each in kinds.items()]
    print()
    for result in results:
        print(f"{result.kind:28}{result.summary}")
    return 0 if all(result.passed for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or FOLDERS))
