"""A trailer's sound as a wav file whose first sample is at the time of the first frame."""

import wave
from pathlib import Path

from mmx.media.budget import check_concealed
from mmx.media.faults import DEFAULT_LIMITS, Limits
from mmx.media.scan import scan
from mmx.media.sound import SoundCounts, read_sound
from mmx.media.source import open_video
from mmx.params import AudioParams

WAV = "audio.wav"


def extract_item(
    *, video: Path, params: AudioParams, out: Path, limits: Limits = DEFAULT_LIMITS
) -> dict[str, bool | int]:
    """Write the sound of `video` as `out`/audio.wav; return its facts.

    Facts: `silent`, and `samples` where it is not. A video without a sound track, or with an empty
    one, is silent, and leaves no file.
    """
    samples = extract_audio(video, out / WAV, rate=params.rate, limits=limits)
    return {"silent": False, "samples": samples} if samples else {"silent": True}


def extract_audio(video: Path, wav: Path, *, rate: int, limits: Limits = DEFAULT_LIMITS) -> int:
    """Write the sound track of `video` to `wav`; return the number of samples.

    Mono, 16 bit, at `rate` Hz (section 4.1), mixed and resampled in one pass. Sample 0 is at the
    time of frame 0: a track that starts later is padded with silence, one that starts earlier is
    cut, and a gap within it is filled with silence. Equal videos give equal bytes. Without sound
    there is no file, and the result is 0.

    Raise MediaFault for a file that cannot be used as a trailer or whose sound cannot be decoded.
    """
    found = scan(video, limits)
    counts = SoundCounts()
    with open_video(video, limits) as source:
        if source.audio is None:
            return 0
        samples = 0
        with wave.open(str(wav), "wb") as file:
            file.setparams((1, 2, rate, 0, "NONE", ""))
            for block in read_sound(source, found, rate, counts):
                file.writeframesraw(block.tobytes())
                samples += len(block)
    check_concealed(counts.concealed, counts.packets, "packets of the sound", limits)
    if samples == 0:
        wav.unlink()
    return samples
