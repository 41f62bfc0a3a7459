"""The device that a step computes on, found without loading PyTorch where possible."""

import ctypes
from functools import cache

DRIVERS = ("libcuda.so.1", "libamdhip64.so")
"""Libraries that PyTorch needs to use a GPU."""


def find_device(wanted: str) -> str:
    """Return the device that `auto` means here, `cuda` or `cpu`; any other name as it is."""
    if wanted != "auto":
        return wanted
    return "cuda" if count_gpus() else "cpu"


@cache
def count_gpus() -> int:
    """Return how many GPUs PyTorch can use."""
    # Loading PyTorch takes seconds, which is long for a stage with one new trailer.
    if not any(map(can_load, DRIVERS)):
        return 0
    import torch

    return torch.cuda.device_count()


def can_load(library: str) -> bool:
    """Whether the system has a library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def take_gpu(number: int) -> None:
    """Make `cuda` mean this GPU in this process."""
    import torch

    torch.cuda.set_device(number)
