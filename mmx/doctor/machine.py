"""Processor, memory, GPU and limits of the machine."""

import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

from mmx.device import can_load, count_gpus
from mmx.doctor.finding import Finding
from mmx.engine.processor import processor_kind
from mmx.project import Project

_GIB = 1 << 30
_WORKER = 1.0
"""GiB that a worker may need: a decoder, a network and batches of its pictures."""
_FILES, _SHARED = 1024, 64 << 20
"""Open files, and bytes of shared memory, with which a run has enough."""


def machine(project: Project) -> Iterator[Finding]:
    """Yield what is found of the machine."""
    yield _processor(project)
    yield _cores(project)
    yield _memory(project)
    yield _gpu(project)
    yield _open_files()
    yield _shared_memory()


def _processor(project: Project) -> Finding:
    kind = processor_kind()
    name = next(iter(_lines("/proc/cpuinfo", "model name")), "")
    cap = project.params.run.processor
    equal = "results are bit-equal on this kind alone" if cap == "native" else f"capped to {cap}"
    found = f"{name or 'unknown'} ({kind}); {equal}; {_flow_speed(kind)}"
    if " avx" in kind:
        return Finding("processor", "ok", found)
    return Finding("processor", "note", found, "compute the flow where there is AVX2 or AVX-512")


def _flow_speed(kind: str) -> str:
    """Return what is known of the speed of the optical flow on a kind of processor."""
    if kind.startswith("AuthenticAMD avx512"):
        return "flow at 25 times OpenCV's speed was measured on one of this kind (Zen 4)"
    if kind.startswith("AuthenticAMD avx2"):
        return "flow at 8 times OpenCV's speed was measured on one of this kind (Zen 1)"
    if kind.startswith("GenuineIntel avx"):
        return "flow takes roots by products here; its speed has not been measured on this kind"
    return "the flow's speed has not been measured on this kind, and is lower without AVX2"


def _cores(project: Project) -> Finding:
    own, quota, workers = len(os.sched_getaffinity(0)), _quota(), project.workers
    found = f"{workers} workers on {own} cores"
    if quota and quota < workers:
        remedy = f"set run.workers to {max(1, int(quota))}"
        return Finding("workers", "note", f"{found}, of which a quota gives {quota:g}", remedy)
    if workers > own:
        return Finding("workers", "note", found, f"set run.workers to {own}, or to 0 for all cores")
    return Finding("workers", "ok", found)


def _quota() -> float:
    """Return how many cores the control group may use; 0 without a quota."""
    words = _text("/sys/fs/cgroup/cpu.max").split()
    return int(words[0]) / int(words[1]) if len(words) == 2 and words[0] != "max" else 0.0


def _memory(project: Project) -> Finding:
    free = _free_memory()
    found = f"{free:.1f} GiB of memory are free"
    if free < _WORKER * project.workers:
        fits = max(1, int(free / _WORKER))
        return Finding("memory", "note", f"{found} for {project.workers} workers",
                       f"set run.workers to {fits}: a worker may need {_WORKER:g} GiB")  # fmt: skip
    return Finding("memory", "ok", found)


def _free_memory() -> float:
    """Return the GiB that are free, of the machine or of the control group, whichever is less."""
    available = [int(line.split()[0]) << 10 for line in _lines("/proc/meminfo", "MemAvailable")]
    limit, used = (_text(f"/sys/fs/cgroup/memory.{name}").strip() for name in ("max", "current"))
    if limit.isdigit() and used.isdigit():
        available.append(int(limit) - int(used))
    return min(available, default=0) / _GIB


def _gpu(project: Project) -> Finding:
    wanted, count = project.params.run.device, count_gpus()
    if count:
        unused = "; run.device: cpu leaves it alone" if wanted == "cpu" else ""
        return Finding("GPU", "ok", f"{count} that PyTorch can use{unused}")
    if wanted == "cuda":
        remedy = "install its driver and PyTorch with CUDA, or set run.device to auto"
        return Finding("GPU", "wrong", "run.device is cuda and PyTorch can use none", remedy)
    if Path("/dev/nvidia0").exists() or can_load("libcuda.so.1"):
        remedy = "`make install` in a new .venv, without CPU=1, installs PyTorch with CUDA"
        return Finding("GPU", "note", "there is one that PyTorch cannot use", remedy)
    return Finding("GPU", "ok", "none; everything runs on the processor")


def _open_files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < _FILES:
        remedy = f"`ulimit -n {min(hard, 65536) if hard > 0 else 65536}` before a run"
        return Finding("open files", "note", f"at most {soft}", remedy)
    return Finding("open files", "ok", f"at most {soft}" if soft >= 0 else "without a limit")


def _shared_memory() -> Finding:
    place = Path("/dev/shm")
    if not os.access(place, os.W_OK):
        remedy = "mount a tmpfs there: worker processes need it for their locks"
        return Finding("shared memory", "wrong", f"{place} cannot be written", remedy)
    free = shutil.disk_usage(place).free
    found = f"{free / _GIB:.1f} GiB in {place}"
    if free < _SHARED:
        remedy = "start the container with --shm-size=1g"
        return Finding("shared memory", "note", found, remedy)
    return Finding("shared memory", "ok", found)


def _lines(path: str, name: str) -> list[str]:
    """Return the values of a name in a file of `name: value` lines."""
    pairs = (line.partition(":") for line in _text(path).splitlines())
    return [value.strip() for key, _, value in pairs if key.strip() == name]


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
