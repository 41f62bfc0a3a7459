"""The decoder: pictures in order of presentation, with exact times, whole or not at all.

What the demuxer returns is checked by `scan`; here, each packet must be accepted by the decoder,
which must conceal no error: how it conceals one differs between versions, and half a trailer with
the labels of a whole one is worse than none.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import cast

from av import VideoFrame
from av.filter import Graph

from mmx.media.budget import too_long
from mmx.media.packets import FormatWatch, decode_packet, drain, no_frames, read_packets, stamp
from mmx.media.source import Source
from mmx.media.timeline import Shifter, Timeline


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


def decode(source: Source, timeline: Timeline) -> Iterator[Picture]:
    """Yield every picture of the video stream as stored, interlaced or not, on the timeline."""
    clock = _Clock(source)
    index = 0
    for frame in _frames(source, timeline):
        time, duration = clock.read(frame)
        if time > source.limits.max_seconds:
            raise too_long(source.limits)
        yield Picture(index, time, duration, frame)
        index += 1
    if index == 0:
        raise no_frames()


def _frames(source: Source, timeline: Timeline) -> Iterator[VideoFrame]:
    """Decode the packets of the video stream, each at its time on the timeline.

    Where another recording begins, or pictures change their format, the decoder first gives what
    it holds back; it would drop some of it.
    """
    shifter = Shifter(timeline.pictures)
    format_of = FormatWatch(source)
    for packet in read_packets(source):
        if packet.stream is not source.video:
            continue
        restarts = shifter.move(packet) and packet.is_keyframe
        if format_of.changes(packet) or restarts:
            yield from drain(source, packet)
        yield from decode_packet(source, packet)


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
