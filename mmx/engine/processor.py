"""The kind of CPU, as far as results depend on it, and how workers are capped to a common one.

Libraries choose their kernels by the instruction sets of the CPU, and results of different kernels
differ by rounding. A cap makes a newer CPU use the kernels of an older one.
"""

import os
import platform
from collections.abc import Iterable
from pathlib import Path

CAPS: dict[str, dict[str, str]] = {
    "sse4": {
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "ATEN_CPU_CAPABILITY": "default",
        "NUMBA_CPU_NAME": "nehalem",
        "NUMBA_CPU_FEATURES": "+sse4.1,+sse4.2,+popcnt",
        # In COMPATIBLE, the lowest, a row of a batch depends on its place.
        "MKL_CBWR": "SSE4_2",
        "OPENBLAS_CORETYPE": "Nehalem",
    },
    "avx2": {
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": "+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt",
        "MKL_CBWR": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
    },
}
"""Environment variables by cap, lowest first: the kernels of oneDNN, ATen, numba, MKL, OpenBLAS."""

NATIVE = "native"
"""No cap."""

_NEEDS = {
    "sse4": {"sse4_1", "sse4_2", "popcnt"},
    "avx2": {"avx2", "bmi1", "bmi2", "f16c", "fma"},
    "avx512": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
}
"""Flags of the CPU by level, lowest first; each level has those of the ones before."""

_VARIABLES = sorted({name for variables in CAPS.values() for name in variables})


def cap(level: str) -> None:
    """Let this process, before it uses the libraries, and its children use a level's kernels.

    level: a key of CAPS, or NATIVE, which changes nothing.
    """
    if level != NATIVE:
        os.environ.update(CAPS[level])


def processor_kind() -> str:
    """Return maker and instruction sets in use: equal kinds give equal bits.

    A variable that caps one library alone is part of it. Example:
    `AuthenticAMD avx512`, or `AuthenticAMD avx2 capped`.
    """
    vendor, flags = _cpu()
    present = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    own = _level_of(flags)
    for level, variables in CAPS.items():
        if present == variables and level in _levels_up_to(own):
            return f"{vendor} {level} capped"
    given = (f"{name}={value}" for name, value in present.items())
    return " ".join([vendor, own, *given])


def _level_of(flags: Iterable[str]) -> str:
    """Return the highest level whose flags, and those of all lower ones, a CPU has."""
    here, found = set(flags), "basic"
    for level, needed in _NEEDS.items():
        if not needed <= here:
            break
        found = level
    return found


def _levels_up_to(level: str) -> list[str]:
    names = list(_NEEDS)
    return names[: names.index(level) + 1] if level in names else []


def _cpu() -> tuple[str, list[str]]:
    """Return the maker and the flags of the CPU; the architecture alone where Linux has no list."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.machine(), []
    pairs = (line.partition(":") for line in lines)
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    vendor = fields.get("vendor_id") or fields.get("CPU implementer") or platform.machine()
    return vendor, fields.get("flags", "").split()
