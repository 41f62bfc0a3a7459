"""From a trailer's wav to the samples of an expert of sound.

Sound is held as 16-bit numbers only, mapped from the file.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mmx.experts.base import Expert, ExpertError
from mmx.experts.job import EmbedJob
from mmx.experts.logmel import log_mel_patches
from mmx.experts.preprocess import LogMel
from mmx.experts.samples import Sample
from mmx.experts.sampling import Patches
from mmx.media.clip import Clip
from mmx.media.wav import read_wav


def read_samples(job: EmbedJob, expert: Expert) -> Iterator[Sample]:
    """Return the samples of all clips of `job` in order."""
    sampling, preprocess = expert.sampling, expert.preprocess
    if not isinstance(sampling, Patches) or not isinstance(preprocess, LogMel):
        raise ExpertError(f"{expert.name}: sound is sampled as patches and preprocessed as log-mel")
    assert job.source is not None
    return _sound_samples(job.source, job.clips, sampling, preprocess)


def _sound_samples(
    source: Path, clips: Sequence[Clip], sampling: Patches, preprocess: LogMel
) -> Iterator[Sample]:
    """Yield the log-mel patches (1, frames, bands) of a sound; a clip after its end has none."""
    sound = read_wav(source)
    for row, clip in enumerate(clips):
        begin, end = (round(second * preprocess.rate) for second in (clip.start_s, clip.stop_s))
        padded = sampling.padding(begin, end, len(sound))
        for start in sampling.starts(begin, end, len(sound)):
            yield Sample(row, log_mel_patches(sound, np.array([start])), padded)
