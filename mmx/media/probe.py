"""The technical facts of a video file: those in its header, and those counted by reading it."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av import VideoFrame

from mmx.media.faults import DEFAULT_LIMITS, Limits
from mmx.media.frames import shown_size
from mmx.media.pictures import decode_packet, no_frames, packet_end, read_packets, stamp
from mmx.media.source import Source, open_video, too_long
from mmx.media.streams import SoundDigest, VideoDigest
from mmx.media.upright import upright_of


@dataclass(frozen=True)
class Probe:
    """The technical facts of a video: from the header, from the first picture, and counted."""

    container: str
    """FFmpeg's name of the format, such as `mov,mp4,m4a,3gp,3g2,mj2`."""
    video_codec: str
    """FFmpeg's name of the codec, such as `h264`."""
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
    """Seconds from the first picture to the end of the last, counted."""
    frames_from_header: int | None
    """Number of pictures by the header; None where it has none."""
    frames_from_content: int
    """Number of packets of the video stream that are to be shown: for most codecs, of pictures."""
    audio_stream: int | None
    """Position of the default sound track among all streams; None for a silent video."""
    audio_codec: str | None
    """FFmpeg's name of the codec of the default sound track; None for a silent video."""
    audio_rate: int | None
    """Hertz; None for a silent video."""
    audio_channels: int | None
    """None for a silent video."""
    video_digest: str
    """64 hexadecimal digits: files with equal digests have equal frames at equal times."""
    sound_digest: str
    """64 hexadecimal digits: files with equal digests have equal extracted sound."""


def probe(path: Path, limits: Limits = DEFAULT_LIMITS) -> Probe:
    """Read `path` to its end, decode its first picture, and return what was found.

    Raise MediaFault for a file that cannot be used: not a video in an accepted container, beyond
    the limits, damaged, or cut short, as far as that can be detected without decoding every
    picture.
    """
    with open_video(path, limits) as source:
        digests = VideoDigest(source), SoundDigest(source)
        first: VideoFrame | None = None
        packets, end = 0, Fraction(0)
        for packet in read_packets(source):
            digests[packet.stream is not source.video].add(packet)
            if packet.stream is not source.video:
                continue
            if packet.size and not packet.is_discard:
                packets, end = packets + 1, max(end, packet_end(packet))
            if first is None:
                first = next(iter(decode_packet(source, packet)), None)
        if first is None:
            raise no_frames()
        return _describe(source, first, packets, end, digests)


def _start(source: Source, first: VideoFrame) -> Fraction:
    if source.container.format.name == "avi":
        return (source.video.start_time or 0) * (source.video.time_base or Fraction(0))
    return stamp(first) or Fraction(0)


def _describe(
    source: Source,
    first: VideoFrame,
    packets: int,
    end: Fraction,
    digests: tuple[VideoDigest, SoundDigest],
) -> Probe:
    start = _start(source, first)
    if end - start > source.limits.max_seconds:
        raise too_long(source.limits)
    width, height = shown_size(source, first)
    sound = source.audio
    return Probe(
        container=source.container.format.name,
        video_codec=source.video.codec.canonical_name,
        pixel_format=first.format.name,
        width=width,
        height=height,
        rotation=upright_of(first).rotation,
        sample_aspect=source.sample_aspect,
        interlaced=first.interlaced_frame,
        rate=source.rate,
        start_s=start,
        duration_from_header=source.header_seconds,
        duration_from_content=float(end - start),
        frames_from_header=source.video.frames or None,
        frames_from_content=packets,
        audio_stream=None if sound is None else sound.index,
        audio_codec=None if sound is None else sound.codec.canonical_name,
        audio_rate=None if sound is None else sound.sample_rate,
        audio_channels=None if sound is None else sound.layout.nb_channels,
        video_digest=digests[0].hexdigest(first),
        sound_digest=digests[1].hexdigest(start),
    )
