"""Limits per host: time between requests, bytes a second, and pauses that a host asks for."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from mmx.acquisition.outcome import StoppedError
from mmx.params import FetchParams, HostParams

LONGEST_STEP_S = 1.0
"""Of a wait, so that it ends soon after the run is told to stop."""


def host_limits(params: FetchParams, host: str) -> HostParams:
    """Return the limits of a host: its own, those of the domain above it, or the common ones."""
    parts = host.lower().split(".")
    names = (".".join(parts[start:]) for start in range(len(parts)))
    own = (params.hosts[name] for name in names if name in params.hosts)
    return next(own, params)


def megabytes(value: float) -> int:
    """Return bytes."""
    return int(value * 1_000_000)


@dataclass
class Pace:
    """Makes callers wait. Hosts do not wait for each other."""

    params: FetchParams
    stop: threading.Event = field(default_factory=threading.Event)
    """Set to end all waits."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] | None = None
    """Waits for seconds; by default until `stop` is set, too."""
    _free: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """By host, the time from which it may be asked again."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, host: str) -> None:
        """Wait until a request to the host is allowed, and count it; raise StoppedError."""
        with self._lock:
            moment = max(self.clock(), self._free[host])
            self._free[host] = moment + host_limits(self.params, host).interval_s
        self._wait_until(moment)

    def spend(self, host: str, started: float, size: int) -> None:
        """Wait until `size` bytes since `started` (by `clock`) are within the host's rate."""
        rate = megabytes(host_limits(self.params, host).rate_mb_s)
        self._wait_until(started + size / rate)

    def pause(self, host: str, seconds: float) -> None:
        """Let nobody ask a host for some seconds."""
        with self._lock:
            self._free[host] = max(self._free[host], self.clock() + seconds)

    def check(self) -> None:
        """Raise StoppedError if the run is to end."""
        if self.stop.is_set():
            raise StoppedError("stopped; `mmx fetch` goes on where it was")

    def _wait_until(self, moment: float) -> None:
        self.check()
        while (left := moment - self.clock()) > 0:
            (self.sleep or self.stop.wait)(min(left, LONGEST_STEP_S))
            self.check()
