"""From a trailer's artefact to the samples that an expert's network sees, clip by clip."""

from collections.abc import Iterator
from importlib import import_module

from mmx.experts.base import Expert
from mmx.experts.job import EmbedJob
from mmx.experts.samples import Sample

READERS = {
    "clips": "mmx.experts.read_frames",
    "flow": "mmx.experts.read_flow",
    "audio": "mmx.experts.read_sound",
}
"""Module that reads an artefact. By name, since how flow is read has no part in frames."""


def read_samples(job: EmbedJob, expert: Expert) -> Iterator[Sample]:
    """Return the samples of all clips of `job` in order; a silent trailer has none."""
    if job.source is None:
        return iter(())
    samples: Iterator[Sample] = import_module(READERS[expert.reads]).read_samples(job, expert)
    return samples
