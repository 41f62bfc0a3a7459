"""One pass over a file's packets, without decoding: its timeline, and whether it is whole.

A file counts as whole when its packets come undamaged and reach the end that the header gives.
What the demuxer flags in a transport stream, or what an even series of pictures lacks in a
container whose demuxer skips damaged bytes in silence, is counted as lost. MPEG streams, fragmented
MP4, live WebM, and Ogg without a last page do not store where they end: a clean cut through one of
them cannot be detected, and is recorded as such.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from av import Packet, VideoFrame
from av.stream import Stream

from mmx.media.boxes import declared_end, top_level_boxes
from mmx.media.budget import check_rate, check_repeats, check_total, too_long
from mmx.media.evenness import holes, missing
from mmx.media.faults import Limits, MediaFault
from mmx.media.numbered import CODECS, Groups
from mmx.media.ogg import read_pages
from mmx.media.packets import decode_packet, no_frames, read_packets, stamp
from mmx.media.source import Source, open_video
from mmx.media.timeline import NONE, OVERHANG_S, Timeline, Track, build_timeline

SLACK_S = 1.0
"""Seconds by which a video may be shorter than its header says: headers round, last frames vary."""
DURATION_IN_HEADER = ("mov", "matroska", "flv", "asf")
"""Containers whose duration is written in the header, not inferred from the end of the file."""
SKIPPING = ("flv", "asf", "mpegts", "mpeg")
"""Containers whose demuxers look for the next packet after damaged bytes and say nothing."""
ENDLESS = ("mpegts", "mpeg")
"""Containers that do not say where they end."""
READ_ON = (*ENDLESS, "flv", "asf")
"""Containers that are read from the front to the back: what follows the last packet is unread."""
INDEXED = ("mov", "avi")
"""Containers with an index, which may name the same bytes again and again."""
UNPADDED = ("amr_nb", "amr_wb", "opus")
"""Codecs whose padding is not cut off by the end of an ISO file's track."""
TAIL = 0.05
"""Share of a file after its last packet that may be stuffing or an index."""
LEAST_TAIL = {"asf": 1 << 14}
"""Bytes that may follow the last packet anyhow; 4096 elsewhere. ASF pads its large packets."""
JOINT = 4
"""Packets around the beginning of another recording, which the demuxer of transport streams may
flag: their counters do not run on."""
Watcher = Callable[["Packet[Stream]"], None]


@dataclass(frozen=True)
class Scan:
    """What the packets of a file show."""

    timeline: Timeline
    start: Fraction
    """When the first picture is shown on the container's clock, in seconds."""
    end: Fraction
    """When the last picture ends on the timeline, in seconds since the first."""
    first: VideoFrame
    """The first picture."""
    pictures: int
    """Packets of pictures that are to be shown."""
    sounds: int
    """Packets of the sound track."""
    lost_pictures: int
    """Pictures that the demuxer flags as damaged, and those after them up to the next key picture;
    and pictures that the file must have had."""
    lost_sounds: int
    """Packets of the sound that the demuxer flags."""
    sound_until: Fraction | None
    """Where an ISO file's header ends the sound, on the container's clock in seconds: what is
    decoded beyond it is padding."""
    sound_packed: Fraction
    """Where the last packet of the sound ends, on the container's clock in seconds."""
    sound_late: bool
    """Whether there is sound so long after the pictures that it is left out."""
    holes: int
    """Pictures that an even series of pictures would have in addition: variable rate, or loss."""
    end_known: bool
    """Whether the container says where it ends, so that a file cut short is noticed."""


def scan(path: Path, limits: Limits, watch: Callable[[Source], Watcher] | None = None) -> Scan:
    """Read the packets of `path` to its end and return what they show.

    `watch` gets the open file and returns a function that is given each packet of the two chosen
    streams. Raise MediaFault for a file that is damaged, cut short, or beyond the limits, as far as
    can be known without decoding.
    """
    with open_video(path, limits, every_stream=True) as source:
        reading = _Reading(source)
        watcher = watch(source) if watch else None
        for packet in read_packets(source, every_stream=True):
            if watcher and packet.stream in (source.video, source.audio):
                watcher(packet)
            reading.add(packet)
        return reading.finish()


@dataclass
class _Reading:
    """What has been read so far."""

    source: Source
    place: int = 0
    first: VideoFrame | None = None
    shown: int = 0
    positions: set[int] = field(default_factory=set)
    flagged: list[int] = field(default_factory=list)
    flagged_sounds: int = 0
    ends: dict[int, Fraction] = field(default_factory=dict)
    tail: int = 0
    groups: Groups | None = None

    def __post_init__(self) -> None:
        source = self.source
        name = source.container.format.name
        self.joined = name == "mpegts"
        self.groups = Groups() if source.video.codec.canonical_name in CODECS else None
        self.video = Track(source.video.time_base or Fraction(1), 1 / source.nominal_rate)
        self.sound = None if source.audio is None else _sound_track(source)

    def add(self, packet: "Packet[Stream]") -> None:
        """Take the next packet, empty ones included."""
        self.place += 1
        if packet.size == 0:
            self._show_first(packet)
            return
        if packet.is_corrupt and not self.joined:
            raise MediaFault("truncated", "a part of the file's data is missing")
        index = packet.stream_index
        self.ends[index] = max(self.ends.get(index, Fraction(0)), _packet_end(packet))
        self.tail = max(self.tail, (packet.pos or 0) + packet.size)
        if packet.stream is self.source.video:
            self._add_picture(packet)
        elif packet.stream is self.source.audio and self.sound is not None:
            self.flagged_sounds += packet.is_corrupt
            self.sound.add(packet, self.place)

    def _add_picture(self, packet: "Packet[Any]") -> None:
        if packet.is_corrupt:
            self.flagged.append(len(self.video))
        if self.groups is not None:
            self.groups.add(packet)
        self.video.add(packet, self.place)
        self.shown += not packet.is_discard
        # Where a packet's place is unknown, its number stands for it.
        self.positions.add(-len(self.video) if packet.pos is None else packet.pos)
        video, limits = self.source.video, self.source.limits
        check_total(self.shown, video.width * video.height, limits)
        if self.source.container.format.name.startswith(INDEXED):
            check_repeats(len(self.video), len(self.positions), limits)
        self._show_first(packet)

    def _show_first(self, packet: "Packet[Any]") -> None:
        if self.first is None and packet.stream is self.source.video:
            self.first = next(iter(decode_packet(self.source, packet)), None)

    def finish(self) -> Scan:
        """Check the whole and return it."""
        source = self.source
        if self.first is None:
            raise no_frames()
        counted = source.container.format.name == "avi"
        timeline = Timeline() if counted else build_timeline(self.video, self.sound)
        start = self._start()
        end = self._end(timeline) - start
        if end > source.limits.max_seconds:
            raise too_long(source.limits)
        check_rate(self.shown, end, source.limits)
        self._check_end()
        empty = holes(self.video)
        return Scan(
            timeline=timeline,
            start=start,
            end=end,
            first=self.first,
            pictures=self.shown,
            sounds=0 if self.sound is None else len(self.sound),
            lost_pictures=self._lost(timeline, empty),
            lost_sounds=max(0, self.flagged_sounds - len(timeline.sound)),
            sound_until=self._sound_until(),
            sound_packed=self.ends.get(source.audio.index if source.audio else -1, Fraction(0)),
            sound_late=self._sound_late(timeline, start + end),
            holes=sum(empty.values()),
            end_known=self._end_known(),
        )

    def _start(self) -> Fraction:
        video = self.source.video
        if self.source.container.format.name == "avi":
            return (video.start_time or 0) * (video.time_base or Fraction(0))
        return (stamp(self.first) if self.first else None) or Fraction(0)

    def _end(self, timeline: Timeline) -> Fraction:
        """Return when the last picture ends on the timeline, on the container's clock."""
        edges = [0, *(packet for packet, _ in timeline.pictures), len(self.video)]
        shifts = [Fraction(0), *(shift for _, shift in timeline.pictures)]
        spans = zip(edges, edges[1:], shifts, strict=False)
        return max(self.video.end(a, b) * self.video.unit + shift for a, b, shift in spans)

    def _sound_until(self) -> Fraction | None:
        sound = self.source.audio
        if sound is None or not self.source.container.format.name.startswith("mov"):
            return None
        if not sound.duration or sound.time_base is None or self._fragmented():
            return None
        if sound.codec.canonical_name in UNPADDED:
            return None
        return ((sound.start_time or 0) + sound.duration) * sound.time_base

    def _sound_late(self, timeline: Timeline, end: Fraction) -> bool:
        if self.sound is None:
            return False
        last = max((time for time in self.sound.pts if time != NONE), default=0) * self.sound.unit
        shift = timeline.sound[-1][1] if timeline.sound else Fraction(0)
        return last + shift > end + OVERHANG_S

    def _lost(self, timeline: Timeline, empty: dict[int, int]) -> int:
        """Return how many pictures are missing, or may be damaged."""
        name = self.source.container.format.name
        joints = {packet + near for packet, _ in timeline.pictures for near in range(-JOINT, JOINT)}
        flagged = [packet for packet in self.flagged if packet not in joints]
        lost = missing(self.video, empty) if name in SKIPPING else 0
        if name == "avi":
            # Empty chunks stand for pictures that are shown twice.
            named = sum(entry.size > 0 for entry in self.source.video.index_entries)
            lost = max(0, named - len(self.video))
        if self.groups is not None:
            self.groups.finish()
            lost = max(lost, self.groups.missing)
        return lost + _until_keys(flagged, self.video)

    def _end_known(self) -> bool:
        name = self.source.container.format.name
        if name.startswith("mov"):
            return not self._fragmented()
        if name == "ogg":
            return not read_pages(self.source.path).open_streams
        return name not in ENDLESS and self.source.header_seconds is not None

    def _fragmented(self) -> bool:
        return any(kind == b"moof" for kind, _ in top_level_boxes(self.source.path))

    def _check_end(self) -> None:
        """Raise MediaFault where the packets end before the header says, or the file after them."""
        name = self.source.container.format.name
        if name.startswith("mov"):
            self._check_boxes()
        if any(self.ends.get(index, 0) < until - SLACK_S for index, until in self._promises()):
            raise MediaFault("truncated", "the video ends before its header says")
        if declared_end(self.source.path, name) > self.source.path.stat().st_size:
            raise MediaFault("truncated", "the file is shorter than its header says")
        if name == "ogg" and read_pages(self.source.path).damaged:
            raise MediaFault("damaged", "pages of the file are damaged or missing")
        if name in READ_ON:
            self._check_tail(LEAST_TAIL.get(name, 4096))

    def _check_tail(self, least: int) -> None:
        size = self.source.path.stat().st_size
        if self.tail and size - self.tail > max(least, TAIL * size):
            raise MediaFault(
                "truncated", f"the last {1 - self.tail / size:.0%} of the file cannot be read"
            )

    def _check_boxes(self) -> None:
        kinds = [kind for kind, _ in top_level_boxes(self.source.path)]
        if kinds.count(b"moov") > 1:
            raise MediaFault("joined", "the file is several films one after another: join them")

    def _promises(self) -> Iterator[tuple[int, float]]:
        """Yield (stream, seconds) for each end that the header gives."""
        source = self.source
        name = source.container.format.name
        if name == "avi" and source.rate:
            yield source.video.index, float(source.video.frames / source.rate)
        if not name.startswith(DURATION_IN_HEADER) or source.header_seconds is None:
            return
        if name.startswith("mov"):
            yield from _track_ends(source)
            return
        # The longest of all streams: a track of subtitles may outlast the pictures.
        longest = max(self.ends, key=lambda index: self.ends[index], default=0)
        yield longest, source.header_seconds


def _packet_end(packet: "Packet[Stream]") -> Fraction:
    """Return when the packet's content ends, in seconds on the container's clock; 0 if unknown."""
    return ((packet.pts or 0) + (packet.duration or 0)) * (packet.time_base or Fraction(0))


def _track_ends(source: Source) -> Iterator[tuple[int, float]]:
    for stream in (source.video, source.audio):
        if stream is not None and stream.duration and stream.time_base:
            start = stream.start_time or 0
            yield stream.index, float((start + stream.duration) * stream.time_base)


def _sound_track(source: Source) -> Track:
    sound: Any = source.audio
    size, rate = sound.codec_context.frame_size, sound.sample_rate
    return Track(sound.time_base, Fraction(size, rate) if size and rate else Fraction(0))


def _until_keys(flagged: list[int], track: Track) -> int:
    """Return how many pictures lie between flagged ones and the key pictures after them."""
    damaged: set[int] = set()
    for packet in flagged:
        while packet < len(track) and packet not in damaged:
            damaged.add(packet)
            packet += 1
            if packet < len(track) and track.keys[packet]:
                break
    return len(damaged)
