"""The decoder: pictures in order of presentation, with exact times, whole or not at all.

A video counts as whole when the demuxer returns every packet undamaged, the decoder accepts each
and conceals no error, and the pictures reach the duration in the header. Anything less is a
MediaFault in every step that reads that far: how a decoder conceals a gap differs between versions,
and half a trailer with the labels of a whole one is worse than none. MPEG streams and Ogg do not
store their duration, so a clean cut through one of them cannot be detected.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, cast

from av import Packet, VideoFrame
from av.filter import Graph
from av.stream import Stream

from mmx.media.faults import MediaFault
from mmx.media.source import Source, as_media_fault, check_size, too_long

SLACK_S = 1.0
"""Seconds by which a video may be shorter than its header says: headers round, last frames vary."""
DURATION_IN_HEADER = ("mov", "matroska", "flv", "asf")
"""Containers whose duration is written in the header, not inferred from the end of the file."""


@dataclass(frozen=True)
class Picture:
    """One decoded picture, as stored."""

    index: int
    """Position in order of presentation, from 0."""
    time: Fraction
    """Seconds since the first picture; strictly increasing."""
    duration: Fraction
    """Seconds for which it is to be shown, by the container or the average rate."""
    frame: VideoFrame


def read_packets(source: Source) -> Iterator["Packet[Stream]"]:
    """Yield the packets of the video and audio streams, then the empty ones that flush.

    Raise MediaFault at a damaged packet, or where the packets end before the duration in the
    header. A transport stream marks packets as damaged wherever two recordings were joined: there,
    only the errors of the decoder count.
    """
    joined = source.container.format.name == "mpegts"
    streams = [source.video] if source.audio is None else [source.video, source.audio]
    end = Fraction(0)
    packets = source.container.demux(streams)
    unread = MediaFault("damaged", "the file cannot be read to its end")
    while True:
        with as_media_fault(source.path, unread):
            packet = _next_packet(packets)
        if packet is None:
            break
        if packet.is_corrupt and not joined:
            raise MediaFault("truncated", "a part of the file's data is missing")
        end = max(end, packet_end(packet))
        yield packet
    _check_end(source, end)


def _next_packet(packets: Iterator["Packet[Stream]"]) -> "Packet[Stream] | None":
    # After the last packet PyAV may try to flush a stream that appeared during reading and is
    # missing from its list of streams.
    try:
        return next(packets, None)
    except IndexError:
        return None


def packet_end(packet: "Packet[Stream]") -> Fraction:
    """Return when the packet's content ends, in seconds on the container's clock; 0 if unknown."""
    return ((packet.pts or 0) + (packet.duration or 0)) * (packet.time_base or Fraction(0))


def _check_end(source: Source, end: Fraction) -> None:
    duration = _header_duration(source)
    if duration is not None and end < duration - SLACK_S:
        raise MediaFault("truncated", "the video ends before its header says")


def _header_duration(source: Source) -> float | None:
    name = source.container.format.name
    if name == "avi":
        return float(source.video.frames / source.rate) if source.rate else None
    return source.header_seconds if name.startswith(DURATION_IN_HEADER) else None


def decode(source: Source) -> Iterator[Picture]:
    """Yield every picture of the video stream as stored, interlaced or not."""
    clock = _Clock(source)
    index = 0
    for packet in read_packets(source):
        if packet.stream is not source.video:
            continue
        for frame in decode_packet(source, packet):
            time, duration = clock.read(frame)
            if time > source.limits.max_seconds:
                raise too_long(source.limits)
            yield Picture(index, time, duration, frame)
            index += 1
    if index == 0:
        raise no_frames()


def no_frames() -> MediaFault:
    """Return the fault of a video stream without a picture."""
    return MediaFault("no-frames", "the video stream has no picture")


def _undecodable() -> MediaFault:
    """Return the fault of a picture that the decoder refuses or conceals."""
    return MediaFault("damaged", "a picture of the video cannot be decoded")


def decode_packet(source: Source, packet: "Packet[Any]") -> list[VideoFrame]:
    """Return the pictures that a packet of the video stream completes; MediaFault for a bad one."""
    with as_media_fault(source.path, _undecodable()):
        frames = packet.decode()
    for frame in frames:
        check_size(frame.width, frame.height, source.limits)
        if frame.is_corrupt:
            raise _undecodable()
    return frames


def stamp(frame: VideoFrame) -> Fraction | None:
    """Return the picture's time in seconds on the container's clock; None where it has none."""
    ticks = frame.pts if frame.pts is not None else frame.dts
    return None if ticks is None or frame.time_base is None else ticks * frame.time_base


class _Clock:
    """Gives each picture its time.

    AVI stores no presentation times: where its pictures are reordered, they are evenly spaced by
    definition. Elsewhere a picture without a time, or with one not after its predecessor's, is
    put one duration after the predecessor.
    """

    def __init__(self, source: Source) -> None:
        self._nominal = 1 / (source.rate or source.nominal_rate)
        self._counted = source.container.format.name == "avi" and source.video.has_b_frames
        self._start: Fraction | None = None
        self._next = Fraction(0)
        self._last = Fraction(-1)

    def read(self, frame: VideoFrame) -> tuple[Fraction, Fraction]:
        """Return (time since the first picture, duration) of the next picture, in seconds."""
        now = stamp(frame)
        if self._start is None:
            self._start = now or Fraction(0)
        time = self._next if self._counted or now is None else now - self._start
        if time <= self._last:
            time = self._next
        duration = self._nominal if self._counted else self._duration(frame)
        self._last, self._next = time, time + duration
        return time, duration

    def _duration(self, frame: VideoFrame) -> Fraction:
        return max(frame.duration or 0, 0) * (frame.time_base or Fraction(0)) or self._nominal


def deinterlace(pictures: Iterator[Picture]) -> Iterator[Picture]:
    """Replace interlaced pictures by progressive ones, one for one, at the same times.

    From the first interlaced picture on, all pass through yadif, which uses both neighbours
    and leaves progressive ones as they are; one picture of delay, three in memory.
    """
    deinterlacer: _Deinterlacer | None = None
    for picture in pictures:
        if deinterlacer is None and not picture.frame.interlaced_frame:
            yield picture
            continue
        if deinterlacer is None or not deinterlacer.fits(picture.frame):
            if deinterlacer is not None:
                yield from deinterlacer.push(None)
            deinterlacer = _Deinterlacer(picture.frame)
        yield from deinterlacer.push(picture)
    if deinterlacer is not None:
        yield from deinterlacer.push(None)


class _Deinterlacer:
    """A yadif filter for pictures of one size and format."""

    def __init__(self, like: VideoFrame) -> None:
        self._shape = (like.width, like.height, like.format.name)
        self._waiting: deque[Picture] = deque()
        self._graph = Graph()
        self._graph.threads = 1
        source = self._graph.add_buffer(
            width=like.width, height=like.height, format=like.format, time_base=like.time_base
        )
        yadif = self._graph.add("yadif", "mode=send_frame:parity=auto:deint=interlaced")
        source.link_to(yadif)
        yadif.link_to(self._graph.add("buffersink"))
        self._graph.configure()

    def fits(self, frame: VideoFrame) -> bool:
        """Say whether the filter takes a picture of this size and format."""
        return self._shape == (frame.width, frame.height, frame.format.name)

    def push(self, picture: Picture | None) -> Iterator[Picture]:
        """Add the next picture, or None for the end; yield the pictures that are finished."""
        if picture is not None:
            self._waiting.append(picture)
        self._graph.push(None if picture is None else picture.frame)
        while self._waiting:
            try:
                frame = self._graph.pull()
            except (BlockingIOError, EOFError):
                return
            yield replace(self._waiting.popleft(), frame=cast(VideoFrame, frame))
