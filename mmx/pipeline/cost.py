"""Estimated time and size of a step: by rates measured on this machine, else by shipped ones."""

from collections.abc import Collection, Iterable
from statistics import fmean
from typing import Any, TypeGuard

from mmx.pipeline.step import TrailerStep
from mmx.pipeline.upstream import Upstream

LONGEST = 1e9
"""Seconds of an item, more than any takes."""


def mean(values: Iterable[float]) -> float | None:
    """Return the mean; None of nothing."""
    listed = list(values)
    return fmean(listed) if listed else None


def seconds_per_item(step: TrailerStep, upstream: Upstream) -> float | None:
    """Return the mean seconds of an item in the journal; None if the step never ran here."""
    entries = upstream.project.store.journal(step.name)
    return mean(filter(_is_a_time, (entry.get("seconds") for entry in entries)))


def gpu_share(step: TrailerStep, upstream: Upstream) -> float:
    """Return the share of the time in the journal that items had a GPU; 0 if the step never ran."""
    entries = upstream.project.store.journal(step.name)
    timed = [entry for entry in entries if _is_a_time(entry.get("seconds"))]
    on_gpu = (entry["seconds"] for entry in timed if entry.get("device", "cpu") != "cpu")
    total = sum(entry["seconds"] for entry in timed)
    return sum(on_gpu) / total if total else 0.0


def _is_a_time(seconds: Any) -> TypeGuard[float]:
    """Say whether an entry of a journal has a time: another program may have written it."""
    return type(seconds) in (int, float) and 0 <= seconds < LONGEST


def hours(step: TrailerStep, upstream: Upstream, trailers: Collection[str]) -> float:
    """Return the estimated hours for the items of these trailers with the project's workers."""
    measured = seconds_per_item(step, upstream)
    if measured is not None:
        seconds = len(trailers) * measured
    else:
        seconds = _minutes(upstream, trailers) * step.rate(upstream.project.params).seconds
    return seconds / upstream.project.workers / 3600


def terabytes(step: TrailerStep, upstream: Upstream, trailers: Collection[str]) -> float:
    """Return the estimated size of the items of these trailers."""
    measured = bytes_per_item(step, upstream)
    if measured is not None:
        return len(trailers) * measured / 1e12
    return _minutes(upstream, trailers) * step.rate(upstream.project.params).bytes / 1e12


def bytes_per_item(step: TrailerStep, upstream: Upstream) -> float | None:
    """Return the mean size of an item in the store; None if it has none of the step."""
    return mean(
        sum(output.size for output in receipt.outputs)
        for receipt in upstream.project.store.receipts(step.name)
        if not receipt.fault
    )


def _minutes(upstream: Upstream, trailers: Collection[str]) -> float:
    """Return the length of the videos of these trailers."""
    return sum(float(upstream.sources[name]["duration_s"]) for name in trailers) / 60
