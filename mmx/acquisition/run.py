"""`mmx fetch`: all videos of a list, host by host, within the limits."""

import fcntl
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mmx.acquisition.attempt import Attempts
from mmx.acquisition.enrol import enrol
from mmx.acquisition.http import Http, read_cookies
from mmx.acquisition.ledger import Attempt, History, ledger_path, read_ledger
from mmx.acquisition.limits import Pace, host_limits
from mmx.acquisition.outcome import AGAIN, DEAD, FetchError, Outcome
from mmx.acquisition.plan import Plan, hours, make_plan
from mmx.acquisition.wanted import Rejected, Wanted
from mmx.acquisition.youtube import Open, YouTube, open_yt_dlp
from mmx.engine.errors import StoreBusyError
from mmx.engine.progress import ItemProgress
from mmx.project import Project
from mmx.trailers.csvfile import read_csv
from mmx.trailers.manifest import added_columns
from mmx.trailers.tombstones import Refusals

UNREACHED = 5
"""Videos in a row that fail by the network: then their host is left for a later run."""
BACKOFF = 4.0
"""How many times longer each pause is than the one before, where a host names none."""


@dataclass(frozen=True)
class Report:
    """What became of a list."""

    outcomes: dict[str, int]
    """Videos by their last outcome, of all rows without a fault; `untried` ones, too."""
    dead_by_year: dict[str, int]
    """Videos that are not there, by year of the film; `` where the list has none."""
    rejected: tuple[Rejected, ...]
    """Rows that cannot or must not be fetched, or that the manifest does not take."""
    attempts: int
    """Made in this run."""
    added: int
    """Rows added to the manifest."""


@dataclass(frozen=True)
class DryRun:
    """What a run would do."""

    videos: dict[str, int]
    """To fetch, by host."""
    hours: float
    """By the limits, with videos of the mean size of those fetched so far."""
    kept: int
    dead: int
    rejected: tuple[Rejected, ...]


def dry_run(project: Project, path: Path, *, recheck: bool = False) -> DryRun:
    """Say what `fetch` would do; nothing is asked of any host."""
    history, plan = _read(project, path, recheck)
    sizes = {host: len(wanted) for host, wanted in plan.by_host().items()}
    estimate = hours(plan, project.params.fetch, history)
    return DryRun(sizes, estimate, len(plan.kept), len(plan.dead), tuple(plan.rejected))


def fetch(
    project: Project,
    path: Path,
    *,
    cookies: Path | None = None,
    recheck: bool = False,
    pace: Pace | None = None,
    open_youtube: Open = open_yt_dlp,
) -> Report:
    """Fetch the videos of a list that are not there yet, and put them into the manifest.

    cookies: a file in the form of Netscape's. recheck: only ask, of every row, whether it is still
    there. Raise TableError, CookiesError, LedgerError, MissingYtDlpError; StoreBusyError while
    another call is fetching.
    """
    layout, jar = project.layout, read_cookies(cookies)
    pace = pace or Pace(project.params.fetch)
    youtube = YouTube(pace, cookies.read_text(encoding="utf-8") if cookies else "", open_youtube)
    attempts = Attempts(layout, Http(pace, jar), youtube, Refusals.of(layout))
    layout.videos.mkdir(parents=True, exist_ok=True)
    with _locked(attempts.folder):
        history = _history(project)
        for earlier in history.fetched.values():
            attempts.place(earlier)
        _, plan = _read(project, path, recheck)
        made = _all_hosts(plan, pace, attempts.check if recheck else attempts.fetch)
        return _finish(project, plan, made)


def _history(project: Project) -> History:
    return History.of(read_ledger(ledger_path(project.layout.root)))


def _read(project: Project, path: Path, recheck: bool) -> tuple[History, Plan]:
    """Return what the ledger says and the plan; raise TableError also for impossible columns."""
    layout, history = project.layout, _history(project)
    # Otherwise the manifest would refuse them once all is fetched.
    added_columns(path.name, read_csv(path, ()).columns)
    plan = make_plan(path, history, Refusals.of(layout), layout.videos)
    return history, replace(plan, todo=plan.all, kept=[], dead=[]) if recheck else plan


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder of files in the making; raise StoreBusyError while another call does."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StoreBusyError("another `mmx fetch` is running in this project") from None


def _all_hosts(plan: Plan, pace: Pace, act: Callable[[Wanted], Attempt]) -> int:
    """Fetch from several hosts side by side; return the number of attempts."""
    hosts = plan.by_host()
    with (
        ItemProgress("fetch", len(plan.todo), "videos") as progress,
        ThreadPoolExecutor(pace.params.hosts_at_once) as pool,
    ):
        queues = [_Queue(host, pace, act, progress) for host in hosts]
        running = [pool.submit(each.run, hosts[each.host]) for each in queues]
        try:
            return sum(each.result() for each in as_completed(running))
        except BaseException:
            # The others end within a second, or as soon as their connection does.
            pace.stop.set()
            raise


@dataclass(frozen=True)
class _Queue:
    """The videos of one host, one after the other."""

    host: str
    pace: Pace
    act: Callable[[Wanted], Attempt]
    progress: ItemProgress

    def run(self, wanted: Sequence[Wanted]) -> int:
        """Try all; end early where the host is not to be asked again in this run."""
        attempts = unreached = 0
        for each in wanted:
            outcome, made = self._tries(each)
            attempts += made
            found = outcome in (Outcome.fetched, Outcome.there)
            with _counting:
                self.progress.count(computed=found, failed=not found)
            unreached = unreached + 1 if outcome == Outcome.network else 0
            if outcome == Outcome.limited or unreached == UNREACHED:
                break
        return attempts

    def _tries(self, wanted: Wanted) -> tuple[str, int]:
        """Return the last outcome, and how many attempts there were."""
        number = 1
        while True:
            try:
                return self.act(wanted).outcome, number
            except FetchError as error:
                wait = error.wait_s or self._interval * BACKOFF**number
                again = error.outcome in AGAIN and number < self.pace.params.tries
                if not again or wait > self.pace.params.patience_s:
                    return error.outcome, number
            self.pace.pause(self.host, wait)
            number += 1

    @property
    def _interval(self) -> float:
        return host_limits(self.pace.params, self.host).interval_s


_counting = threading.Lock()
"""Held while the shared progress is counted."""


def _finish(project: Project, plan: Plan, attempts: int) -> Report:
    history = _history(project)
    report = enrol(project, plan.all, history)
    last = {each.trailer_id: history.latest.get(each.trailer_id) for each in plan.all}
    outcomes = Counter(found.outcome if found else "untried" for found in last.values())
    dead = Counter(
        each.cells.get("year", "")
        for each in plan.all
        if (found := last[each.trailer_id]) and found.outcome in DEAD
    )
    refused = (Rejected(row.row, row.title, row.reason) for row in report.rejected)
    added = sum(row.status == "added" for row in report.rows)
    rejected = (*plan.rejected, *refused)
    return Report(dict(outcomes), dict(sorted(dead.items())), rejected, attempts, added)
