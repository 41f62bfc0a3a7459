"""From a trailer's artefact to the samples that an expert's network sees, clip by clip.

Pictures are held only while a later stack still needs them, sound only as 16-bit numbers: memory
does not grow with the length of a clip.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mmx.experts.base import Expert, ExpertError
from mmx.experts.job import EmbedJob
from mmx.experts.logmel import log_mel_patches
from mmx.experts.preprocess import LogMel, Pixels
from mmx.experts.sampling import Frames, Indices, Patches, Sampling, Stacks
from mmx.flow.sampling import nearest_frames
from mmx.flow.store import read_flow, read_flow_index
from mmx.media.audio import read_wav
from mmx.media.clip import Clip
from mmx.media.frames import read_frames
from mmx.params import EmbedParams

ZERO_FLOW = 128
"""What the stored 8 bits of no movement are."""
SMALL = (16, 16)
"""Size of pictures that nobody looks at."""

Picture = npt.NDArray[Any]


@dataclass(frozen=True)
class Sample:
    """What a network embeds at once."""

    row: int
    """Which of the job's clips it belongs to, from 0."""
    data: npt.NDArray[Any]
    """(H, W, C), (L, H, W, C) or (1, frames, bands)."""
    padded: int
    """How many of its frames are repeated, or of its sound samples are not the clip's own."""


@dataclass(frozen=True)
class Plan:
    """Which pictures of a stream the samples of one clip are made of."""

    pictures: Indices
    """(S, L), never decreasing, each line's last at least the line's before."""
    padded: int


def read_samples(job: EmbedJob, expert: Expert) -> Iterator[Sample]:
    """Return the samples of all clips of `job` in order; a broken video raises MediaFault."""
    if job.source is None:
        return iter(())
    sampling = chosen_sampling(expert.sampling, job.params)
    match sampling, expert.preprocess:
        case Patches(), LogMel():
            return sound_samples(job.source, job.clips, sampling, expert.preprocess)
        case Frames() | Stacks(), Pixels() if expert.reads == "flow":
            return flow_samples(job.source, job.clips, sampling, expert.preprocess)
        case Frames() | Stacks(), Pixels():
            return frame_samples(job, sampling, expert.preprocess)
    raise ExpertError(f"{expert.name}: its sampling, preprocessing and artefact do not go together")


def chosen_sampling(sampling: Sampling, params: EmbedParams) -> Sampling:
    """Return `sampling` with what it leaves to the parameters filled in."""
    if isinstance(sampling, Frames) and sampling.per_clip is None:
        return replace(sampling, per_clip=params.frames_per_clip)
    return sampling


def frame_samples(job: EmbedJob, sampling: Frames | Stacks, pixels: Pixels) -> Iterator[Sample]:
    """Yield the samples of a video: one sequential decode, of wanted frames only."""
    assert job.source is not None
    plans = [plan(sampling, numbers) for numbers in frame_numbers(job)]
    wanted = {int(index) for each in plans for index in np.unique(each.pictures)}
    frames = read_frames(job.source, wanted, size=pixels.decoded_size, limits=job.limits)
    pictures = ((frame.index, pixels.prepare(frame.image)) for frame in frames)
    yield from assemble(plans, pictures, stacked=isinstance(sampling, Stacks))


def frame_numbers(job: EmbedJob) -> Iterator[Indices]:
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


def flow_samples(
    source: Path, clips: Sequence[Clip], sampling: Frames | Stacks, pixels: Pixels
) -> Iterator[Sample]:
    """Yield the samples of stored flow; a clip without any has one image, of no movement."""
    stored = Counter(pair.clip for pair in read_flow_index(source))
    plans, begin = [], 0
    for clip in clips:
        count = max(stored[clip.index], 1)
        made_up = count - stored[clip.index]
        plans.append(plan(sampling, np.arange(begin, begin + count), made_up))
        begin += count
    images = (pixels.prepare(image) for image in flow_images(source, clips, pixels.size))
    yield from assemble(plans, enumerate(images), stacked=isinstance(sampling, Stacks))


def flow_images(
    source: Path, clips: Sequence[Clip], size: tuple[int, int]
) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield every clip's stored flow (H, W, 2), or one image of no movement where it has none."""
    still = np.full((*size, 2), ZERO_FLOW, dtype=np.uint8)
    stored = groupby(read_flow(source), key=lambda flow: flow.clip)
    ahead = next(stored, None)
    for clip in clips:
        if ahead is None or ahead[0] != clip.index:
            yield still
            continue
        yield from (flow.image for flow in ahead[1])
        ahead = next(stored, None)


def sound_samples(
    source: Path, clips: Sequence[Clip], sampling: Patches, preprocess: LogMel
) -> Iterator[Sample]:
    """Yield the log-mel patches (1, frames, bands) of a sound; a clip after its end has none."""
    sound = read_wav(source)
    for row, clip in enumerate(clips):
        begin, end = (round(second * preprocess.rate) for second in (clip.start_s, clip.stop_s))
        padded = sampling.padding(begin, end, len(sound))
        for start in sampling.starts(begin, end, len(sound)):
            yield Sample(row, log_mel_patches(sound, np.array([start])), padded)


def plan(sampling: Frames | Stacks, pictures: Indices, made_up: int = 0) -> Plan:
    """Return the samples of a clip that has these `pictures` of a stream, `made_up` among them."""
    count = len(pictures)
    return Plan(pictures[sampling.indices(count)], sampling.padding(count - made_up))


def assemble(
    plans: Iterable[Plan], pictures: Iterable[tuple[int, Picture]], *, stacked: bool
) -> Iterator[Sample]:
    """Yield the samples of `plans` from a stream of (index, picture) with rising indices.

    A sample is the picture itself, or a stack (L, H, W, C) of them. Raises IndexError when the
    stream ends before a picture that is needed.
    """
    stream, held = iter(pictures), dict[int, Picture]()
    for row, each in enumerate(plans):
        for wanted in each.pictures.tolist():
            for index in [index for index in held if index < wanted[0]]:
                del held[index]
            while wanted[-1] not in held:
                following = next(stream, None)
                if following is None:
                    raise IndexError(f"picture {wanted[-1]} is wanted and missing")
                held[following[0]] = following[1]
            data = np.stack([held[index] for index in wanted]) if stacked else held[wanted[0]]
            yield Sample(row, data, each.padded)
