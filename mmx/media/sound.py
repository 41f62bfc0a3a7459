"""Sound as it is heard with the pictures: decoded, mixed and resampled with one running position.

Sample 0 is at the time of frame 0. The position runs on through changes of format and through
packets that cannot be decoded; where the times on the timeline leave it by more than LATENESS_S,
silence is inserted or what overlaps is left out.
"""

import math
import struct
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.filter import Graph
from av.sidedata.sidedata import SideData, Type

from mmx.media.faults import MediaFault
from mmx.media.packets import read_packets
from mmx.media.scan import Scan
from mmx.media.source import Source, as_media_fault
from mmx.media.timeline import LATENESS_S, OVERHANG_S, Shifter

_DOWNMIX = struct.Struct("@i5d")
_LT_RT = 2
BLOCK = 1 << 16
"""Samples of silence that are made at once."""


@dataclass
class SoundCounts:
    """What has been met while a sound was decoded."""

    packets: int = 0
    concealed: int = 0
    """Packets that cannot be decoded: silence in their place."""
    loudest_channel: float = 0.0
    """Root mean square of the loudest channel before mixing, 1 at full scale."""
    _squares: "np.ndarray[Any, Any]" = field(default_factory=lambda: np.zeros(0))
    _samples: int = 0

    def hear(self, samples: np.ndarray) -> None:
        """Count decoded samples, float N x channels."""
        squares = np.square(samples, dtype=np.float64).sum(axis=0)
        size = max(len(squares), len(self._squares))
        self._squares = _padded(self._squares, size) + _padded(squares, size)
        self._samples += len(samples)
        self.loudest_channel = math.sqrt(self._squares.max() / self._samples)


def _padded(values: np.ndarray, size: int) -> np.ndarray:
    return np.pad(values, (0, size - len(values)))


def read_sound(source: Source, found: Scan, rate: int, counts: SoundCounts) -> Iterator[np.ndarray]:
    """Yield the sound of an open file as blocks of int16, mono, at `rate` Hz; nothing if silent.

    `counts` is filled meanwhile. Raise MediaFault for sound of which nothing can be decoded.
    """
    placed = _Placed(rate, found)
    for frame, time, joint in _frames(source, found, counts):
        yield from placed.add(frame, time, joint, counts)
    yield from placed.finish()
    if counts.packets and counts.concealed == counts.packets:
        raise MediaFault("audio", "the sound cannot be decoded")


def _frames(
    source: Source, found: Scan, counts: SoundCounts
) -> Iterator[tuple[AudioFrame, Fraction | None, bool]]:
    """Yield frames, their seconds since the first picture, and whether a new shift begins."""
    shifter = Shifter(found.timeline.sound)
    joint = False
    for packet in read_packets(source):
        if packet.stream is not source.audio:
            continue
        joint |= shifter.move(packet)
        counts.packets += packet.size > 0
        for frame in _decoded(source, packet, counts):
            kept = frame if found.sound_until is None else _clipped(frame, found.sound_until)
            if kept is None or not kept.samples:
                continue
            unit = packet.time_base
            time = None if kept.pts is None or unit is None else kept.pts * unit - found.start
            yield kept, time, joint
            joint = False


def _decoded(source: Source, packet: Any, counts: SoundCounts) -> list[AudioFrame]:
    """Return the frames of a packet, none where it cannot be decoded."""
    context = cast(Any, source.audio).codec_context
    undecodable = MediaFault("audio", "the sound cannot be decoded")
    with source.meter:
        try:
            with as_media_fault(source.path, undecodable):
                return cast(list[AudioFrame], context.decode(packet))
        except MediaFault:
            counts.concealed += packet.size > 0
            return []


def _clipped(frame: AudioFrame, until: Fraction) -> AudioFrame | None:
    """Return the frame without what lies after `until` seconds, if that is a part of it."""
    if frame.pts is None or frame.time_base is None:
        return frame
    kept = round((until - frame.pts * frame.time_base) * frame.sample_rate)
    return frame if kept >= frame.samples or kept <= 0 else _slice(frame, 0, kept)


def _slice(frame: AudioFrame, start: int, stop: int) -> AudioFrame:
    """Return samples start..stop of a frame."""
    data = frame.to_ndarray()
    wide = 1 if frame.format.is_planar else frame.layout.nb_channels
    cut = np.ascontiguousarray(data[:, start * wide : stop * wide])
    return _frame_of(cut, frame)


def _frame_of(data: np.ndarray, like: AudioFrame) -> AudioFrame:
    made = AudioFrame.from_ndarray(data, format=like.format.name, layout=like.layout.name)
    made.sample_rate = like.sample_rate
    return made


class _Placed:
    """Puts frames at their times into one sound."""

    def __init__(self, rate: int, found: Scan) -> None:
        self._rate = rate
        self._latest = found.end + OVERHANG_S
        self._mixer: _Mixer | None = None
        self._written = 0
        self._time = Fraction(0)
        """Where the next sample of the source belongs, in seconds since the first picture."""
        self._tolerance = LATENESS_S
        """Seconds; 0 until the next frame is in its place, to the sample."""

    def add(
        self, frame: AudioFrame, time: Fraction | None, joint: bool, counts: SoundCounts
    ) -> Iterator[np.ndarray]:
        """Take the next frame; yield the samples that are finished.

        At a joint and where the format changes, the time counts to the sample.
        """
        time = self._time if time is None else time
        if time > self._latest:
            return
        if self._mixer is None or not self._mixer.fits(frame):
            yield from self.finish()
            self._begin(frame, time)
            joint = True
        self._tolerance = Fraction(0) if joint else self._tolerance
        rest = yield from self._aligned(frame, time)
        if rest is None:
            return
        self._tolerance = LATENESS_S
        counts.hear(_as_float(rest))
        self._time += Fraction(rest.samples, rest.sample_rate)
        yield from self._push(rest)

    def _begin(self, frame: AudioFrame, time: Fraction) -> None:
        """Start a mixer for another format; before the first sample, what is early is cut."""
        first = self._mixer is None and self._written == 0
        begin = Fraction(round(time * frame.sample_rate), frame.sample_rate)
        early = int(-begin * self._rate) if first and begin < 0 else 0
        self._mixer = _Mixer(frame, self._rate, early)
        self._time = time if early else Fraction(self._written, self._rate)

    def _aligned(
        self, frame: AudioFrame, time: Fraction
    ) -> Generator[np.ndarray, None, AudioFrame | None]:
        """Insert silence up to the frame, or return what of it does not overlap."""
        late = time - self._time
        count = round(abs(late) * frame.sample_rate)
        if late > self._tolerance:
            yield from self._silence(frame, count)
        elif late < -self._tolerance:
            self._tolerance = Fraction(0)
            return _slice(frame, count, frame.samples) if count < frame.samples else None
        return frame

    def _silence(self, like: AudioFrame, count: int) -> Iterator[np.ndarray]:
        while count > 0:
            size = min(count, BLOCK)
            self._time += Fraction(size, like.sample_rate)
            count -= size
            yield from self._push(_silent(like, size))

    def _push(self, frame: AudioFrame) -> Iterator[np.ndarray]:
        assert self._mixer is not None
        for block in self._mixer.push(frame):
            self._written += len(block)
            yield block

    def finish(self) -> Iterator[np.ndarray]:
        """Yield what the mixer holds back."""
        if self._mixer is None:
            return
        for block in self._mixer.push(None):
            self._written += len(block)
            yield block


def _silent(like: AudioFrame, samples: int) -> AudioFrame:
    planes = like.layout.nb_channels if like.format.is_planar else 1
    wide = 1 if like.format.is_planar else like.layout.nb_channels
    sample = like.to_ndarray().dtype
    data = np.full((planes, samples * wide), 128 if sample == np.uint8 else 0, sample)
    return _frame_of(data, like)


def _as_float(frame: AudioFrame) -> np.ndarray:
    """Return the samples of a frame, float N x channels, 1 at full scale."""
    data = frame.to_ndarray()
    if not frame.format.is_planar:
        data = data.reshape(-1, frame.layout.nb_channels).T
    if data.dtype == np.uint8:
        return (data.T.astype(np.float32) - 128) / 128
    scale = 1.0 if data.dtype.kind == "f" else 2.0 ** (1 - 8 * data.dtype.itemsize)
    return data.T.astype(np.float32) * np.float32(scale)


class _Mixer:
    """FFmpeg's resampler for frames of one format: to mono, 16 bit, another rate, in one pass."""

    def __init__(self, like: AudioFrame, rate: int, early: int) -> None:
        self._format = _format(like)
        self._early = early
        self._count = 0
        self._unit = Fraction(1, like.sample_rate)
        self._graph = Graph()
        self._graph.threads = 1
        source = self._graph.add_abuffer(
            sample_rate=like.sample_rate,
            format=like.format.name,
            layout=like.layout.name,
            time_base=self._unit,
        )
        mix = self._graph.add("aresample", f"osr={rate}:ochl=mono:osf=s16{_levels(like)}")
        source.link_to(mix)
        mix.link_to(self._graph.add("abuffersink"))
        self._graph.configure()

    def fits(self, frame: AudioFrame) -> bool:
        """Say whether a frame has the mixer's format."""
        return self._format == _format(frame)

    def push(self, frame: AudioFrame | None) -> Iterator[np.ndarray]:
        """Take the next frame, None at the end; yield the int16 samples that are finished."""
        if frame is not None:
            frame.pts, frame.time_base = self._count, self._unit
            self._count += frame.samples
        self._graph.push(frame)
        while True:
            try:
                made = cast(AudioFrame, self._graph.pull())
            except (av.BlockingIOError, av.EOFError):
                return
            samples = made.to_ndarray()[0]
            cut = min(self._early, len(samples))
            self._early -= cut
            if cut < len(samples):
                yield samples[cut:]


def _levels(frame: AudioFrame) -> str:
    """Return options of the resampler: how loud centre, surround and bass are mixed in.

    Some codecs, such as AC-3, say so with each frame (FFmpeg's AVDownmixInfo): a type, then levels
    of the centre, of the centre for Lt/Rt, of the surround, of the surround for Lt/Rt, of the LFE.
    """
    for data in cast(Iterable[SideData], frame.side_data):
        if data.type is Type.DOWNMIX_INFO:
            kind, centre, centre_rt, surround, surround_rt, bass = _DOWNMIX.unpack(bytes(data))
            if kind == _LT_RT:
                centre, surround = centre_rt, surround_rt
            return f":clev={centre!r}:slev={surround!r}:lfe_mix_level={bass!r}"
    return ""


def _format(frame: AudioFrame) -> tuple[int, str, str]:
    return frame.sample_rate, frame.format.name, frame.layout.name
