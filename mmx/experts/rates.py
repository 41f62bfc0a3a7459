"""Shipped rates of the experts: what a minute of video roughly costs before anything was measured.

No result depends on them.
"""

from mmx.experts.base import Expert
from mmx.experts.sampling import Patches, Stacks
from mmx.params import Params
from mmx.rates import CLIPS_PER_MINUTE, Rate, frames_per_minute, pairs_per_minute

SECONDS_PER_SAMPLE = {
    "lite_appearance": 0.017,
    "lite_scene": 0.0009,
    "lite_motion": 0.0005,
    "lite_audio": 0.0001,
    "senet154": 0.48,
    "resnet18_places365": 0.027,
    "densenet161_places365": 0.15,
    "i3d_flow": 2.1,
    "i3d_rgb": 2.2,
    "r2plus1d_34": 3.4,
    "yamnet": 0.01,
    "vggish": 0.024,
    "vggish_youtube8m": 0.024,
    "vggish_linear": 0.024,
    "clip_vit_b32": 0.12,
    "s3d": 2.8,
}
"""Of one core of an AMD EPYC (Zen 5), in float32: `python -m benchmarks.rates` measures them."""
_UNKNOWN = 0.05
"""An expert that is not listed."""
_READING = {"clips": 0.7, "flow": 0.4, "audio": 0.1}
"""Seconds to read a minute of video, flow or sound, without the network."""


def expert_rate(expert: Expert, params: Params) -> Rate:
    """Return what a minute of video costs an expert with these parameters."""
    samples = samples_per_minute(expert, params)
    seconds = samples * SECONDS_PER_SAMPLE.get(expert.name, _UNKNOWN)
    vectors = samples if expert.sequence else CLIPS_PER_MINUTE
    return Rate(_READING[expert.reads] + seconds, 4.0 * expert.width * vectors)


def samples_per_minute(expert: Expert, params: Params) -> float:
    """Return how many samples of a minute of video an expert embeds."""
    sampling = expert.sampling
    if isinstance(sampling, Patches):
        return 60 * params.audio.rate / sampling.step
    pictures = _pictures_per_minute(expert, params)
    if isinstance(sampling, Stacks):
        return max(CLIPS_PER_MINUTE, pictures / sampling.step)
    entry, per_clip = params.embed.experts.get(expert.name), sampling.per_clip
    if per_clip is None:
        own = entry.frames_per_clip if entry else None
        per_clip = params.embed.frames_per_clip if own is None else own
    return min(pictures, per_clip * CLIPS_PER_MINUTE or pictures)


def _pictures_per_minute(expert: Expert, params: Params) -> float:
    if expert.reads == "flow":
        return pairs_per_minute(params.flow)
    entry = params.embed.experts.get(expert.name)
    return frames_per_minute(entry.rate if entry else "native")
