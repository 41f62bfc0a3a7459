"""The embed step: from clips to one row per clip, for any expert, over many trailers at once."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from mmx.engine.rows import write_rows
from mmx.experts.forward import Embedder, load_embedder, reproducible
from mmx.experts.job import EmbedJob
from mmx.experts.overlap import Finished, Read, read_ahead
from mmx.experts.pooling import Pool
from mmx.experts.reading import read_samples
from mmx.experts.samples import Sample

__all__ = ["EmbedJob", "embed_items"]

Result = dict[str, Any] | Exception


@dataclass(eq=False)
class OpenJob:
    """A job that is not finished."""

    job: EmbedJob
    pool: Pool
    waiting: int = 0
    """Samples read and not yet embedded."""
    ended: bool = False
    """No more samples will come."""
    fault: Exception | None = None


@dataclass
class JobQueue:
    """Jobs in order, and the batch that is being filled across them."""

    embedder: Embedder
    jobs: deque[OpenJob] = field(default_factory=deque)
    batch: list[tuple[OpenJob, Sample]] = field(default_factory=list)

    def append(self, job: EmbedJob) -> OpenJob:
        """Append a job to the queue."""
        clips = tuple(clip.index for clip in job.clips)
        self.jobs.append(OpenJob(job, Pool(self.embedder.expert, clips)))
        return self.jobs[-1]

    def take(self, event: Read[OpenJob, Sample] | Finished[OpenJob]) -> None:
        """Add a sample to the batch, which is embedded when full, or note a job's end."""
        if isinstance(event, Finished):
            event.work.ended, event.work.fault = True, event.fault
            return
        event.work.waiting += 1
        self.batch.append((event.work, event.part))
        if len(self.batch) == self.embedder.batch:
            self.embed()

    def embed(self) -> None:
        """Embed the batch and add the vectors to the jobs they belong to."""
        if not self.batch:
            return
        vectors = self.embedder([sample.data for _, sample in self.batch])
        for (each, sample), vector in zip(self.batch, vectors, strict=True):
            each.pool.add(sample.row, vector, sample.padded)
            each.waiting -= 1
        self.batch.clear()

    def finished(self) -> Iterator[Result]:
        """Remove finished jobs from the head of the queue, write their rows, yield their facts."""
        while self.jobs and self.jobs[0].ended and not self.jobs[0].waiting:
            done = self.jobs.popleft()
            yield done.fault or written(done)


def embed_items(jobs: Iterable[EmbedJob]) -> Iterator[Result]:
    """Embed `jobs`; yield each one's facts, or the exception that ended it, in order.

    Rows are in a job's `out` before its facts are yielded. Neighbouring jobs with the same expert,
    parameters, weights and device share batches; this has no effect on any row.
    """
    for setting, group in groupby(jobs, key=EmbedJob.setting):
        with reproducible():
            yield from embed_group(group, load_embedder(*setting))


def embed_group(jobs: Iterable[EmbedJob], embedder: Embedder) -> Iterator[Result]:
    """Embed jobs of one setting, reading ahead in other threads."""
    queue = JobQueue(embedder)
    events = read_ahead(
        (queue.append(job) for job in jobs),
        lambda work: read_samples(work.job, embedder.expert),
        threads=embedder.readers,
        capacity=2 * embedder.batch,
    )
    for event in events:
        queue.take(event)
        yield from queue.finished()
    queue.embed()
    yield from queue.finished()


def written(done: OpenJob) -> dict[str, Any]:
    """Write the rows of a finished job; return its facts."""
    table = done.pool.table()
    write_rows(done.job.out, table)
    return {
        "rows": table.num_rows,
        "samples": int(done.pool.samples.sum()),
        "padded_clips": int((done.pool.padded > 0).sum()),
    }
