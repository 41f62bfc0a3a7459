"""The technical facts of a video file: those in its header, and those found by decoding it.

Every picture and all sound are decoded once, so that what cannot be read is known before any step
begins, and so that the numbers recorded here are those that the steps will find.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
from av import VideoFrame
from av.audio.stream import AudioStream
from av.video.reformatter import ColorTrc

from mmx.media.budget import check_concealed
from mmx.media.choice import describe_streams
from mmx.media.faults import DEFAULT_LIMITS, Limits
from mmx.media.frames import shown_size
from mmx.media.layouts import channels_of
from mmx.media.pictures import decode
from mmx.media.scan import Scan, Watcher, scan
from mmx.media.sound import SoundCounts, read_sound
from mmx.media.source import Source, open_video
from mmx.media.streams import SoundDigest, VideoDigest
from mmx.media.upright import upright_of

LEVEL_RATE = 16000
"""Hertz at which the level of the sound is measured."""
FULL_SCALE = 32768
REFUSING = ("aac", "ac3", "eac3", "flac", "mp2", "mp3")
"""Codecs of sound whose decoders refuse packets with other bytes. Those of WMA, Opus, PCM, ADPCM
and others decode what they get."""
FIELD_ORDERS = {0: "unknown", 1: "progressive", 2: "tt", 3: "bb", 4: "tb", 5: "bt"}
"""FFmpeg's names; the first letter is the field coded first, the second the one shown first."""


@dataclass(frozen=True)
class Probe:
    """The technical facts of a video: from the header, from the first picture, and decoded."""

    container: str
    """FFmpeg's name of the format, such as `mov,mp4,m4a,3gp,3g2,mj2`."""
    video_codec: str
    """FFmpeg's name of the codec, such as `h264`."""
    video_stream: int
    """Position of the stream of pictures among all streams."""
    field_order: str
    """FIELD_ORDERS, by the header."""
    color_transfer: str
    """FFmpeg's name of the transfer function: `SMPTE2084` is PQ, `ARIB_STD_B67` is HLG."""
    pixel_format: str
    """FFmpeg's name of the format of the first picture as stored, such as `yuv420p10le`."""
    width: int
    """Pixels, as shown: upright, with square pixels."""
    height: int
    """Pixels, as shown: upright, with square pixels."""
    rotation: int
    """Degrees by which pictures are turned clockwise to be upright: 0, 90, 180 or 270."""
    sample_aspect: Fraction
    """Width of a stored pixel by its height."""
    interlaced: bool
    """Whether the first picture is."""
    rate: Fraction | None
    """Average frames per second, by the header; None where the header has none."""
    start_s: Fraction
    """Presentation time of the first picture on the container's own clock, in seconds.

    AVI stores no such times: its first picture starts the stream, whatever the decoder's delay.
    """
    duration_from_header: float | None
    """Seconds, of the whole container; None where the header has none."""
    duration_from_content: float
    """Seconds from the first picture to the end of the last, as decoded."""
    frames_from_header: int | None
    """Number of pictures by the header; None where it has none."""
    frames_from_content: int
    """Number of pictures, as decoded."""
    audio_stream: int | None
    """Position of the sound track among all streams; None for a silent video."""
    audio_codec: str | None
    """FFmpeg's name of the codec of the sound track; None for a silent video."""
    audio_rate: int | None
    """Hertz; None for a silent video."""
    audio_channels: int | None
    """None for a silent video."""
    audio_layout: str | None
    """FFmpeg's name of the channels, such as `5.1`; None for a silent video."""
    streams: str
    """Every stream of the file in words, the chosen ones marked with `*`."""
    sound_s: float
    """Seconds of sound, counted from the first picture; 0 for a silent video."""
    sound_peak: float | None
    """Largest sample of the mono sound, 1 at full scale; None for a silent video."""
    sound_rms: float | None
    """Root mean square of the mono sound, 1 at full scale; None for a silent video."""
    sound_channel_rms: float | None
    """The same of the loudest channel before mixing: much more where channels cancel out."""
    concealed_pictures: int
    """Pictures that the demuxer flags as damaged or that an even series lacks."""
    concealed_sound: int
    """Packets of the sound that cannot be decoded."""
    sound_damage_known: bool | None
    """Whether damage to the sound is noticed; False where the decoder takes any bytes, such as that
    of WMA, and the container has no checksums. None for a silent video."""
    holes: int
    """Pictures that an even series would have in addition: a variable rate, or loss."""
    end_known: bool
    """Whether the container says where it ends; where not, a clean cut cannot be noticed."""
    timeline: str
    """Where the clock was corrected, in words; empty for most files."""
    video_digest: str
    """64 hexadecimal digits: files with equal digests have equal frames at equal times."""
    sound_digest: str
    """64 hexadecimal digits: files with equal digests have equal extracted sound."""


def probe(path: Path, limits: Limits = DEFAULT_LIMITS) -> Probe:
    """Read and decode `path` to its end, and return what was found.

    Raise MediaFault for a file that cannot be used: not a video in an accepted container, beyond
    the limits, damaged, or cut short, as far as that can be detected.
    """
    digests: list[VideoDigest | SoundDigest] = []

    def watch(source: Source) -> Watcher:
        digests[:] = VideoDigest(source), SoundDigest(source)
        return lambda packet: digests[packet.stream is not source.video].add(packet)

    found = scan(path, limits, watch)
    pictures, sound = digests
    assert isinstance(pictures, VideoDigest) and isinstance(sound, SoundDigest)
    check_concealed(found.lost_pictures, found.pictures, "pictures", limits)
    frames, seconds = _decode_pictures(path, found, limits)
    heard = _decode_sound(path, found, limits)
    with open_video(path, limits) as source:
        return Probe(
            **_header_facts(source),
            **_first_picture_facts(source, found.first),
            **vars(heard),
            start_s=found.start,
            duration_from_content=float(seconds),
            frames_from_content=frames,
            concealed_pictures=found.lost_pictures,
            holes=found.holes,
            end_known=found.end_known,
            timeline=str(found.timeline),
            video_digest=pictures.hexdigest(found),
            sound_digest=sound.hexdigest(found),
        )


def _decode_pictures(path: Path, found: Scan, limits: Limits) -> tuple[int, Fraction]:
    """Decode every picture; return their number and when the last one ends."""
    with open_video(path, limits) as source:
        for picture in decode(source, found.timeline):
            last = picture
    return last.index + 1, last.time + last.duration


@dataclass(frozen=True)
class _Heard:
    """What decoding the sound found; the fields are those of Probe."""

    sound_s: float = 0.0
    sound_peak: float | None = None
    sound_rms: float | None = None
    sound_channel_rms: float | None = None
    concealed_sound: int = 0


def _decode_sound(path: Path, found: Scan, limits: Limits) -> _Heard:
    counts, peak, squares, samples = SoundCounts(), 0, 0.0, 0
    with open_video(path, limits) as source:
        if source.audio is None:
            return _Heard()
        for block in read_sound(source, found, LEVEL_RATE, counts):
            wide = block.astype(np.int64)
            peak, samples = max(peak, int(np.abs(wide).max())), samples + len(block)
            squares += float(np.square(wide).sum())
    concealed = max(counts.concealed, found.lost_sounds)
    check_concealed(concealed, counts.packets, "packets of the sound", limits)
    if samples == 0:
        return _Heard()
    return _Heard(
        sound_s=samples / LEVEL_RATE,
        sound_peak=peak / FULL_SCALE,
        sound_rms=math.sqrt(squares / samples) / FULL_SCALE,
        sound_channel_rms=counts.loudest_channel,
        concealed_sound=concealed,
    )


def _header_facts(source: Source) -> dict[str, Any]:
    sound, context = source.audio, cast(Any, source.video.codec_context)
    return {
        "container": source.container.format.name,
        "video_codec": source.video.codec.canonical_name,
        "video_stream": source.video.index,
        "sample_aspect": source.sample_aspect,
        "field_order": FIELD_ORDERS.get(context.field_order, "unknown"),
        "rate": source.rate,
        "duration_from_header": source.header_seconds,
        "frames_from_header": source.video.frames or None,
        "audio_stream": None if sound is None else sound.index,
        "audio_codec": None if sound is None else sound.codec.canonical_name,
        "audio_rate": None if sound is None else sound.sample_rate,
        "audio_channels": None if sound is None else channels_of(sound).count,
        "audio_layout": None if sound is None else channels_of(sound).name,
        "sound_damage_known": None if sound is None else _damage_known(source, sound),
        "streams": describe_streams(source.container, [source.video, sound]),
    }


def _damage_known(source: Source, sound: AudioStream) -> bool:
    """Say whether damage to the sound is noticed; pages of Ogg have checksums."""
    return source.container.format.name == "ogg" or sound.codec.canonical_name in REFUSING


def _first_picture_facts(source: Source, first: VideoFrame) -> dict[str, Any]:
    width, height = shown_size(source, first)
    return {
        "pixel_format": first.format.name,
        "width": width,
        "height": height,
        "rotation": upright_of(first).rotation,
        "interlaced": first.interlaced_frame,
        "color_transfer": _transfer(first.color_trc),
    }


def _transfer(number: int) -> str:
    """Return FFmpeg's name of a transfer function, such as `SMPTE2084` (PQ)."""
    known = {int(transfer): transfer.name for transfer in ColorTrc}
    return known.get(number, "UNSPECIFIED")
