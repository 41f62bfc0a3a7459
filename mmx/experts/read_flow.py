"""From a trailer's stored flow to the samples of an expert that sees motion."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mmx.experts.base import Expert, ExpertError
from mmx.experts.job import EmbedJob
from mmx.experts.preprocess import Pixels
from mmx.experts.samples import Sample, assemble, chosen_sampling, plan
from mmx.experts.sampling import Frames, Stacks
from mmx.flow.store import read_flow, read_flow_index
from mmx.media.clip import Clip

ZERO_FLOW = 128
"""No movement, in the stored 8 bits."""


def read_samples(job: EmbedJob, expert: Expert) -> Iterator[Sample]:
    """Return the samples of all clips of `job` in order."""
    sampling, pixels = chosen_sampling(expert.sampling, job.params), expert.preprocess
    if not isinstance(sampling, Frames | Stacks) or not isinstance(pixels, Pixels):
        raise ExpertError(f"{expert.name}: flow is sampled and preprocessed as pictures")
    assert job.source is not None
    return _flow_samples(job.source, job.clips, sampling, pixels)


def _flow_samples(
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
    images = (pixels.prepare(image) for image in _flow_images(source, clips, pixels.size))
    yield from assemble(plans, enumerate(images), stacked=isinstance(sampling, Stacks))


def _flow_images(
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
