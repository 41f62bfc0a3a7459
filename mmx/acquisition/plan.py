"""What of a list is to be fetched, and how long the limits let it take."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmx.acquisition.ledger import History
from mmx.acquisition.limits import host_limits, megabytes
from mmx.acquisition.outcome import DEAD
from mmx.acquisition.wanted import Rejected, Wanted, read_list
from mmx.acquisition.youtube import REQUESTS
from mmx.params import FetchParams
from mmx.trailers.tombstones import Refusals

TYPICAL_MB = 20.0
"""Megabytes of a video while nothing has been fetched: a trailer of two minutes at 480 lines."""


@dataclass(frozen=True)
class Plan:
    """A list, sorted by what is to be done."""

    todo: list[Wanted]
    kept: list[Wanted]
    """Fetched earlier."""
    dead: list[Wanted]
    """Not there when they were last asked for."""
    rejected: list[Rejected]
    """Rows that cannot be fetched, or must not: trailers that were taken out."""

    @property
    def all(self) -> list[Wanted]:
        """Every row without a fault."""
        return [*self.todo, *self.kept, *self.dead]

    def by_host(self) -> dict[str, list[Wanted]]:
        """Return what is to be fetched, by host."""
        found: dict[str, list[Wanted]] = defaultdict(list)
        for wanted in self.todo:
            found[wanted.host].append(wanted)
        return dict(found)


def make_plan(path: Path, history: History, refusals: Refusals, videos: Path) -> Plan:
    """Read a list and sort it; raise TableError.

    videos: folder of the videos; what was fetched and is no longer there is fetched again.
    """
    wanted, rejected = read_list(path)
    plan = Plan([], [], [], rejected)
    for each in wanted:
        if reason := _refusal(each, refusals):
            told = f"{each.trailer_id} {reason}"
            rejected.append(Rejected(each.row, each.cells["title"], told))
            continue
        _place_for(each, plan, history, videos).append(each)
    return plan


def _refusal(wanted: Wanted, refusals: Refusals) -> str:
    """Return why a trailer must not be fetched; empty where it may."""
    addresses = (wanted.url, wanted.youtube_id)
    return next(filter(None, (refusals.reason(wanted.trailer_id, a, ()) for a in addresses)), "")


def _place_for(wanted: Wanted, plan: Plan, history: History, videos: Path) -> list[Wanted]:
    fetched, latest = (each.get(wanted.trailer_id) for each in (history.fetched, history.latest))
    if fetched and fetched.url == wanted.url and (videos / fetched.video).is_file():
        return plan.kept
    same = latest is not None and latest.url == wanted.url
    return plan.dead if same and latest and latest.outcome in DEAD else plan.todo


def hours(plan: Plan, params: FetchParams, history: History) -> float:
    """Return how long the limits let a plan take, with videos of the size of those fetched."""
    sizes = [int(each.bytes) for each in history.fetched.values() if each.bytes.isdecimal()]
    mean = sum(sizes) / len(sizes) if sizes else megabytes(TYPICAL_MB)
    hosts = [_seconds(each, params, mean) for each in plan.by_host().values()]
    # Hosts side by side: no better than the longest, nor than all of them shared out.
    return max([*hosts, sum(hosts) / params.hosts_at_once], default=0.0) / 3600


def _seconds(wanted: Sequence[Wanted], params: FetchParams, size: float) -> float:
    limits = host_limits(params, wanted[0].host)
    requests = REQUESTS if wanted[0].youtube_id else 1
    return len(wanted) * (requests * limits.interval_s + size / megabytes(limits.rate_mb_s))
