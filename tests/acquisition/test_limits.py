"""Hosts are asked no more than their limits allow."""

import threading

import pytest

from mmx.acquisition.limits import Pace, host_limits
from mmx.acquisition.outcome import StoppedError
from mmx.params import FetchParams, HostParams

OWN = HostParams(interval_s=30.0)
PARAMS = FetchParams(interval_s=10.0, rate_mb_s=1.0, hosts={"x.org": OWN})


class Time:
    """A clock that only waits move."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def pace_and_time() -> tuple[Pace, Time]:
    time = Time()
    return Pace(PARAMS, clock=lambda: time.now, sleep=time.sleep), time


def test_a_hosts_own_limits_hold_for_what_is_below_it() -> None:
    assert host_limits(PARAMS, "cdn.X.org") == host_limits(PARAMS, "x.org") == OWN
    assert host_limits(PARAMS, "notx.org") is PARAMS


def test_one_host_waits_and_another_does_not() -> None:
    pace, time = pace_and_time()
    moments = []
    for host in ("a.org", "b.org", "a.org", "x.org", "a.org", "x.org"):
        pace.ask(host)
        moments.append(time.now)
    assert moments == pytest.approx([0, 0, 10, 10, 20, 40])


def test_a_pause_holds_and_bytes_are_paced() -> None:
    pace, time = pace_and_time()
    pace.pause("a.org", 100)
    pace.ask("a.org")
    assert time.now == pytest.approx(100)
    pace.spend("a.org", time.now, 5_000_000)
    assert time.now == pytest.approx(105)


def test_a_stop_ends_waits() -> None:
    stop = threading.Event()
    pace = Pace(PARAMS, stop)
    pace.ask("a.org")
    threading.Timer(0.05, stop.set).start()
    with pytest.raises(StoppedError):
        pace.ask("a.org")
