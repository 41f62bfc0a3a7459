"""What there is to see of a run: progress of the steps, failures, curves; all read from files."""

import time
from calendar import timegm
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from mmx.engine.presence import who_is_here
from mmx.live.tail import Tail
from mmx.pipeline.registry import all_steps
from mmx.pipeline.step import ItemStep, TrailerStep
from mmx.project import Project

MOST_FAILURES, MOST_POINTS = 100, 500
"""Failures, the latest ones, and points of a curve that are shown."""


@dataclass(frozen=True)
class StepView:
    """The last run of a step."""

    step: str
    total: int
    reused: int
    computed: int
    failed: int
    """Faults of inputs and failures in this run."""
    state: str
    """`running`, `done`, `stopped` or `waiting`."""
    seconds: float
    """Since it began, or as long as it took."""
    left: float | None
    """Seconds that are left at the rate so far."""


@dataclass(frozen=True)
class Failure:
    """An item that could not be made, or an input with a fault."""

    step: str
    item: str
    reason: str
    at: str


@dataclass(frozen=True)
class Snapshot:
    """All that the page shows."""

    running: list[str]
    """Who is at work: step, process and host."""
    steps: list[StepView]
    failures: list[Failure]
    """The latest first."""
    curves: dict[str, dict[str, list[list[float]]]]
    """By step and by name: [epoch, value]."""
    report: int
    """Changes when the report is written again; 0 while there is none."""


@dataclass
class Watch:
    """Looks at a project again and again."""

    project: Project
    tails: dict[Path, Tail] = field(default_factory=dict)

    def look(self) -> Snapshot:
        """Return what there is to see now."""
        events = self._tail(self.project.store.runs).look()
        running = who_is_here(self.project.store.root / "present", "run", "worker")
        page = self.project.layout.page
        return Snapshot(
            running,
            list(self._steps(events, running)),
            list(islice(self._failures(events), MOST_FAILURES)),
            curves(self.project.layout.reports / "curves"),
            page.stat().st_mtime_ns if page.exists() else 0,
        )

    def _tail(self, path: Path) -> Tail:
        return self.tails.setdefault(path, Tail(path))

    def _journal(self, step: str) -> list[dict[str, Any]]:
        return self._tail(self.project.store.root / "journal" / f"{step}.jsonl").look()

    def _names(self, events: Iterable[dict[str, Any]]) -> list[str]:
        """Return the steps that have items; of ablations, those that were run."""
        seen = {str(event.get("step")) for event in events}
        steps = [s for s in all_steps(self.project.params) if isinstance(s, ItemStep)]
        # Trailers first: what reads them all needs them all.
        steps.sort(key=lambda step: not isinstance(step, TrailerStep))
        off = self.project.layout.ablations
        return [
            step.name
            for step in steps
            if step.name in seen or step.output.path(self.project.layout.root).parent != off
        ]

    def _steps(self, events: list[dict[str, Any]], running: list[str]) -> Iterator[StepView]:
        for name in self._names(events):
            own = [event for event in events if event.get("step") == name]
            starts = [at for at, event in enumerate(own) if event.get("event") == "start"]
            if not starts:
                yield StepView(name, 0, 0, 0, 0, "waiting", 0.0, None)
                continue
            at_work = any(text.startswith(f"{name},") for text in running)
            yield self._view(name, own[starts[-1] :], at_work=at_work)

    def _view(self, name: str, events: list[dict[str, Any]], *, at_work: bool) -> StepView:
        """Return the run of a step that began with the first of these events."""
        start, end = events[0], next((e for e in events if e.get("event") == "end"), None)
        began = _time(start.get("at"))
        made = [e for e in self._journal(name) if _time(e.get("finished")) >= began]
        lost = sum(event.get("event") == "failure" for event in events)
        failed = lost + sum(bool(entry.get("fault")) for entry in made)
        computed, total, reused = (
            len(made) + lost - failed,
            _count(start, "total"),
            _count(start, "reused"),
        )
        seconds = max((_time(end.get("at")) if end else time.time()) - began, 0.0)
        to_do = total - reused - computed - failed
        state = _state_of(end, at_work=at_work)
        left = seconds / (computed + failed) * to_do if computed + failed and to_do > 0 else None
        shown = left if state == "running" else None
        return StepView(name, total, reused, computed, failed, state, round(seconds, 1), shown)

    def _failures(self, events: list[dict[str, Any]]) -> Iterator[Failure]:
        """Yield failures and faults, the latest first."""
        lost = [(str(e.get("at")), str(e.get("step")), e) for e in events if "reason" in e]
        faults = [
            (str(entry.get("finished")), step, entry)
            for step in self._names(events)
            for entry in self._journal(step)
            if entry.get("fault")
        ]
        for at, step, entry in sorted(lost + faults, key=lambda each: each[:2], reverse=True):
            yield Failure(step, str(entry.get("item")), self._reason(step, entry), at)

    def _reason(self, step: str, entry: dict[str, Any]) -> str:
        """Return why an item failed; a fault's reason stands in its receipt."""
        if "reason" in entry:
            return str(entry["reason"])
        made = self.project.store.find(step, str(entry.get("fingerprint")))
        return made.fault.reason if made and made.fault else "a fault of the input"


def _state_of(end: dict[str, Any] | None, *, at_work: bool) -> str:
    if end is not None:
        return "stopped" if end.get("stopped") else "done"
    return "running" if at_work else "stopped"


def _time(text: Any) -> float:
    """Return seconds since 1970 of a time in a journal; 0 for anything else."""
    try:
        return float(timegm(time.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ")))
    except ValueError:
        return 0.0


def _count(event: dict[str, Any], name: str) -> int:
    value = event.get(name)
    return value if type(value) is int and value >= 0 else 0


def curves(folder: Path) -> dict[str, dict[str, list[list[float]]]]:
    """Return the curves of trainings: by step and by name, [epoch, value] each."""
    found: dict[str, dict[str, list[list[float]]]] = {}
    for path in sorted(folder.glob("*/plots/metrics/*.tsv")):
        found.setdefault(path.parts[-4], {})[path.stem] = list(_points(path))
    return found


def _points(path: Path) -> list[list[float]]:
    """Return the points of a curve, thinned where there are many; a cut-off line is left out."""
    points = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines()[1:]:
        step, _, value = line.partition("\t")
        try:
            points.append([float(step), float(value)])
        except ValueError:
            continue
    return points[:: max(1, len(points) // MOST_POINTS)]
