"""CPU time and memory of the calls that read one file, in whichever step and thread.

Ingest holds all that it does with a file within bounds (`bounded.py`). Steps compute much more with
a file's pictures than decoding them, in several threads, so that only the calls of the decoder are
counted here. One that does not return is ended with its process, which the pool survives.
"""

import os
import resource
import signal
import threading
import time
from types import TracebackType

from mmx.media.faults import Limits, MediaFault

LEAST_SECONDS = 60.0
"""CPU seconds that any file may take."""
GRACE = 2.0
"""Times the limit, after which a call that does not return is ended."""
POLL = 0.2
"""Seconds between looks at the calls that are under way."""
MEGABYTE, GIGABYTE = 1e6, 1 << 30


def cpu_seconds(size: int, limits: Limits) -> float:
    """Return the CPU seconds that a file of `size` bytes may take."""
    return LEAST_SECONDS + size / MEGABYTE * limits.cpu_seconds_per_mb


def over_cpu(seconds: float) -> MediaFault:
    """Return the fault of a file that takes more CPU time."""
    return MediaFault(
        "cpu", f"reading it takes more than {seconds:.0f} CPU seconds (cpu_seconds_per_mb)"
    )


def over_memory(limits: Limits) -> MediaFault:
    """Return the fault of a file that takes more memory."""
    return MediaFault(
        "memory",
        f"reading it takes more than {limits.max_memory_gb:g} GiB of memory (max_memory_gb)",
    )


class Meter:
    """Counts what one reading of a file takes: a context around each call of the decoder."""

    def __init__(self, size: int, limits: Limits) -> None:
        self._limits = limits
        self._seconds = cpu_seconds(size, limits)
        self._bytes = limits.max_memory_gb * GIGABYTE
        self._used = 0.0
        self._began, self._resident = 0.0, 0
        self._clock = 0

    def __enter__(self) -> None:
        """Begin a call."""
        self._clock = time.pthread_getcpuclockid(threading.get_ident())
        self._began, self._resident = time.thread_time(), _resident()
        _watch(self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End a call; raise MediaFault where the file has taken more than its share."""
        _running.pop(id(self), None)
        self._used += time.thread_time() - self._began
        if self._used > self._seconds:
            raise over_cpu(self._seconds) from None
        if _resident() - self._resident > self._bytes:
            raise over_memory(self._limits) from None

    def runs_away(self) -> bool:
        """Say whether the call under way is far beyond the limits; from another thread."""
        used = self._used + time.clock_gettime(self._clock) - self._began
        grown = _resident() - self._resident
        return used > GRACE * self._seconds or grown > GRACE * self._bytes


_running: dict[int, Meter] = {}
_watcher: dict[int, threading.Thread] = {}
"""By process: a forked one has no threads of its parent."""


def _watch(meter: Meter) -> None:
    _running[id(meter)] = meter
    if os.getpid() not in _watcher:
        _watcher[os.getpid()] = threading.Thread(target=_look, daemon=True)
        _watcher[os.getpid()].start()


def _look() -> None:
    """End this process as soon as a call runs away: nothing else stops a decoder."""
    while True:
        time.sleep(POLL)
        for meter in list(_running.values()):
            if meter.runs_away():
                os.kill(os.getpid(), signal.SIGXCPU)


def _resident() -> int:
    """Return the bytes of memory that this process occupies."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
