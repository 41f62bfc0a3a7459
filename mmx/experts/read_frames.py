"""From a trailer's video to the samples of an expert that sees frames."""

from collections.abc import Iterator

import numpy as np

from mmx.experts.base import Expert, ExpertError
from mmx.experts.job import EmbedJob
from mmx.experts.preprocess import Pixels
from mmx.experts.samples import Sample, assemble, chosen_sampling, plan
from mmx.experts.sampling import Frames, Indices, Stacks
from mmx.flow.sampling import nearest_frames
from mmx.media.frames import read_frames

SMALL = (16, 16)
"""Size of pictures of which only the times count."""


def read_samples(job: EmbedJob, expert: Expert) -> Iterator[Sample]:
    """Return the samples of all clips of `job` in order; a broken video raises MediaFault."""
    sampling, pixels = chosen_sampling(expert.sampling, job.params), expert.preprocess
    if not isinstance(sampling, Frames | Stacks) or not isinstance(pixels, Pixels):
        raise ExpertError(f"{expert.name}: frames are sampled and preprocessed as pictures")
    return _frame_samples(job, sampling, pixels)


def _frame_samples(job: EmbedJob, sampling: Frames | Stacks, pixels: Pixels) -> Iterator[Sample]:
    """Yield the samples of a video: one sequential decode, of wanted frames only."""
    assert job.source is not None
    plans = [plan(sampling, numbers) for numbers in _frame_numbers(job)]
    wanted = {int(index) for each in plans for index in np.unique(each.pictures)}
    frames = read_frames(job.source, wanted, size=pixels.decoded_size, limits=job.limits)
    pictures = ((frame.index, pixels.prepare(frame.image)) for frame in frames)
    yield from assemble(plans, pictures, stacked=isinstance(sampling, Stacks))


def _frame_numbers(job: EmbedJob) -> Iterator[Indices]:
    """Yield for every clip the frames of the video that it has at the job's rate.

    At a rate of its own, the video is decoded once more, for the times of its frames.
    """
    assert job.source is not None
    if job.rate == "native":
        yield from (np.arange(clip.start, clip.stop) for clip in job.clips)
        return
    frames = read_frames(job.source, size=SMALL, limits=job.limits)
    times = [frame.time for frame in frames]
    for clip in job.clips:
        nearest = nearest_frames(times[clip.start : clip.stop], job.rate)
        yield clip.start + np.array(nearest, dtype=np.int64)
