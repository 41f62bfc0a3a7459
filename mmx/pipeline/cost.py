"""What computing items of a step would take: by what was measured here, else by shipped rates."""

from collections.abc import Collection
from statistics import fmean

from mmx.pipeline.step import TrailerStep
from mmx.pipeline.upstream import Upstream


def seconds_per_item(step: TrailerStep, upstream: Upstream) -> float | None:
    """Return the mean time of an item of a step by the journal; None where it never ran here."""
    entries = upstream.project.store.journal(step.name)
    return fmean(entry["seconds"] for entry in entries) if entries else None


def hours(step: TrailerStep, upstream: Upstream, trailers: Collection[str]) -> float:
    """Return the hours that these trailers' items would take with the project's workers."""
    measured = seconds_per_item(step, upstream)
    if measured is not None:
        seconds = len(trailers) * measured
    else:
        minutes = sum(upstream.sources[name]["duration_s"] for name in trailers) / 60
        seconds = minutes * step.seconds_per_minute
    return seconds / upstream.project.workers / 3600
