"""One timeline per file: where its clock resets, jumps or overlaps, worked out from its packets.

A container's clock is not the film's. Where two recordings are joined, the second starts at its own
zero, or some frames before the first ends, or ten hours later; pictures and sound then have to move
by the same amount, or they drift apart. The timeline says from which packet on which shift holds.
It follows from the packets alone, so that whoever builds it gets the same one.
"""

from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from fractions import Fraction

from av import Packet
from av.stream import Stream

PAUSE_S = 10
"""Seconds. A longer hole in the times, with neither pictures nor sound, is a jump of the clock."""
LATENESS_S = Fraction(1, 50)
"""Seconds by which sound may deviate from its times; more is corrected."""
RESET_S = Fraction(1, 2)
"""Seconds by which sound alone must go back for a reset; less is jitter."""
REORDERED = 64
"""Packets among which the first picture of a recording in order of presentation is found."""
OVERHANG_S = 10
"""Seconds after the last picture at which sound may still begin; later sound is left out."""
NONE = -(1 << 63)
"""In a Track: no time."""
Shifts = tuple[tuple[int, Fraction], ...]
"""(number of a packet in its stream, seconds to add to the times of it and of those after it)."""


@dataclass(frozen=True)
class Timeline:
    """What to add to the times of a file's packets so that its clock runs on without a break."""

    pictures: Shifts = ()
    """Of the packets of the video stream."""
    sound: Shifts = ()
    """Of the packets of the sound track."""

    def __str__(self) -> str:
        """Return `pictures 125:+5 s; sound 214:+5 s`: packet and shift; empty without a break."""
        named = (("pictures", self.pictures), ("sound", self.sound))
        return "; ".join(
            f"{name} {', '.join(f'{packet}:{float(shift):+g} s' for packet, shift in shifts)}"
            for name, shifts in named
            if shifts
        )


class Shifter:
    """Moves the packets of one stream, in the order of the file, to the timeline."""

    def __init__(self, shifts: Shifts) -> None:
        self._shifts = dict(shifts)
        self._count = 0
        self._now = Fraction(0)

    def move(self, packet: "Packet[Stream]") -> bool:
        """Shift the next packet's times in place; say whether a new shift begins with it."""
        new = self._shifts.get(self._count) if packet.size else None
        self._now = self._now if new is None else new
        self._count += packet.size > 0
        if self._now and packet.time_base:
            ticks = round(self._now / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
        return new is not None


@dataclass
class Track:
    """The times of one stream's packets, in its own units, empty packets left out."""

    unit: Fraction
    """Seconds of a tick."""
    nominal: Fraction
    """Seconds of a packet that does not say how long it lasts."""
    pts: "array[int]" = field(default_factory=lambda: array("q"))
    dts: "array[int]" = field(default_factory=lambda: array("q"))
    lasts: "array[int]" = field(default_factory=lambda: array("q"))
    places: "array[int]" = field(default_factory=lambda: array("q"))
    """Number of each packet in the file, over all streams."""
    keys: "array[int]" = field(default_factory=lambda: array("b"))

    def add(self, packet: "Packet[Stream]", place: int) -> None:
        """Note the next packet, the `place`th of the file."""
        self.pts.append(NONE if packet.pts is None else packet.pts)
        self.dts.append(NONE if packet.dts is None else packet.dts)
        self.lasts.append(packet.duration or round(self.nominal / self.unit))
        self.places.append(place)
        self.keys.append(packet.is_keyframe)

    def __len__(self) -> int:
        """Return the number of packets."""
        return len(self.dts)

    def steps(self) -> "list[tuple[int, int]]":
        """Return (packet, ticks between the end of the one before and its own decoding time)."""
        longest = round(PAUSE_S / self.unit)
        return [
            (i, now - before - min(last, longest))
            for i, (before, last, now) in enumerate(
                zip(self.dts, self.lasts, self.dts[1:], strict=False), start=1
            )
            if before != NONE and now != NONE
        ]

    def start(self, first: int, stop: int) -> int:
        """Return when the earliest picture of packets first..stop is shown, in ticks."""
        times = self.pts[first : min(stop, first + REORDERED)]
        return min((time for time in times if time != NONE), default=self.dts[first])

    def end(self, first: int, stop: int) -> int:
        """Return when the latest picture of packets first..stop ends, in ticks; 0 without times."""
        times = zip(self.pts[first:stop], self.lasts[first:stop], strict=True)
        return max((time + last for time, last in times if time != NONE), default=0)


@dataclass(frozen=True)
class _Break:
    """A place where the clock of a stream does not run on."""

    packet: int
    place: int
    ahead: Fraction
    """Seconds by which it is ahead of where it should be; negative after a reset or an overlap."""


def build_timeline(pictures: Track, sound: Track | None) -> Timeline:
    """Return the timeline of a file from the times of its packets."""
    sounds = [] if sound is None else _sound_breaks(sound)
    shifts: list[tuple[int, Fraction]] = []
    moved: dict[int, Fraction] = {}
    total, first = Fraction(0), 0
    breaks = _picture_breaks(pictures)
    for number, found in enumerate(breaks):
        later = breaks[number + 1].place if number + 1 < len(breaks) else 1 << 62
        twin = _twin(found, [s for s in sounds if s.packet not in moved and s.place < later])
        if found.ahead > 0 and twin is None and sound is not None and _plays_on(sound, found.place):
            continue
        stop = len(pictures) if number + 1 == len(breaks) else breaks[number + 1].packet
        end = pictures.end(first, found.packet) * pictures.unit + total
        total = end - pictures.start(found.packet, stop) * pictures.unit
        first = found.packet
        shifts.append((found.packet, total))
        if twin is not None:
            moved[twin.packet] = total
        elif sound is not None and bisect_left(sound.places, found.place) == 0:
            moved[0] = total
    return Timeline(tuple(shifts), _sound_shifts(sounds, moved))


def _picture_breaks(track: Track) -> list[_Break]:
    """Return where decoding times go back, at a key picture or by a second, or jump ahead."""
    second, pause = round(1 / track.unit), round(PAUSE_S / track.unit)
    return [
        _Break(i, track.places[i], step * track.unit)
        for i, step in track.steps()
        if step > pause or (track.dts[i] <= track.dts[i - 1] and (track.keys[i] or step < -second))
    ]


def _sound_breaks(track: Track) -> list[_Break]:
    early, pause = round(LATENESS_S / track.unit), round(PAUSE_S / track.unit)
    return [
        _Break(i, track.places[i], step * track.unit)
        for i, step in track.steps()
        if step > pause or step < -early
    ]


def _twin(found: _Break, sounds: list[_Break]) -> _Break | None:
    """Return the break of the sound that the same event caused: as large, and nearest in the file.

    Sound and pictures of a recording end and start some hundredths of a second apart.
    """
    near = [s for s in sounds if abs(s.ahead - found.ahead) < 1 and s.ahead * found.ahead > 0]
    return min(near, key=lambda s: abs(s.place - found.place), default=None)


def _plays_on(sound: Track, place: int) -> bool:
    """Say whether there is sound on both sides of a place in the file."""
    return 0 < bisect_left(sound.places, place) < len(sound)


def _sound_shifts(sounds: list[_Break], moved: dict[int, Fraction]) -> Shifts:
    """Return the shifts of the sound: with the pictures, or its own where it alone goes back."""
    shifts: list[tuple[int, Fraction]] = []
    alone = {s.packet: s.ahead for s in sounds if s.packet not in moved and s.ahead < -RESET_S}
    now = Fraction(0)
    for packet in sorted({*moved, *alone}):
        now = moved[packet] if packet in moved else now - alone[packet]
        shifts.append((packet, now))
    return tuple(shifts)
