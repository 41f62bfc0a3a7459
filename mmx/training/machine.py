"""Settings of torch for training: device, threads, determinism, precision."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

import mmx.device


def find_device(name: str) -> torch.device:
    """Return the device `auto`, `cpu`, `cuda` or `cuda:N`; `auto` is a GPU if there is one."""
    return torch.device(mmx.device.find_device(name))


@contextmanager
def reproducible(threads: int) -> Iterator[None]:
    """Run torch with deterministic algorithms and a fixed number of threads.

    The number of threads determines how sums are split, and so their last bits.
    """
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    # cuBLAS reads this when its first handle is made.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])


def mixed(device: torch.device, precision: str) -> torch.autocast:
    """Return a context for mixed precision (`bfloat16`), or one without effect (`float32`)."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
