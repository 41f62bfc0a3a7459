"""CPU time and memory that one file may take, by its size."""

import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mmx.media.faults import Limits
from mmx.media.meter import GIGABYTE, cpu_seconds, over_cpu, over_memory
from mmx.media.source import HEADROOM

GRACE = 2.0
"""Times the CPU limit, after which a process that never returns from the decoder is ended."""
AGAIN = 0.1
"""CPU seconds after which a signal that was not heeded is sent again."""
LEAST_GRACE = 5.0
"""CPU seconds beyond."""


@contextmanager
def bounded(size: int, limits: Limits) -> Iterator[None]:
    """Hold what is read within the limits of a file of `size` bytes; raise MediaFault beyond them.

    A decoder that does not return is ended with its process, which the pool survives. In a thread
    other than the main one there are no limits: signals reach the main thread alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _cpu_limit(cpu_seconds(size, limits)), _memory_limit(limits):
        yield


@contextmanager
def _cpu_limit(seconds: float) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise over_cpu(seconds)

    before = signal.signal(signal.SIGPROF, stop)
    # Where Python's handler is never run, the kernel ends the process.
    before_end = signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds, AGAIN)
    signal.setitimer(signal.ITIMER_VIRTUAL, GRACE * seconds + LEAST_GRACE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGPROF, before)
        signal.signal(signal.SIGVTALRM, before_end)


@contextmanager
def _memory_limit(limits: Limits) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = int(_address_space() + limits.max_memory_gb * GIGABYTE)
    resource.setrlimit(resource.RLIMIT_AS, (_least(most, hard), hard))
    try:
        yield
    except MemoryError:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        # If the machine itself is short of memory, this fails: then the file is not at fault.
        bytearray(HEADROOM)
        raise over_memory(limits) from None
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _least(limit: int, hard: int) -> int:
    return limit if hard == resource.RLIM_INFINITY else min(limit, hard)


def _address_space() -> int:
    """Return the bytes of address space that this process has now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
