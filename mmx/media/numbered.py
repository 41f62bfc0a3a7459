"""Pictures of MPEG-1 and MPEG-2 video that are missing by the numbers that pictures carry.

Each picture has its place in its group, in order of presentation (`temporal_reference`, ISO/IEC
13818-2, 6.3.9). A program stream gives few pictures a time, and FFmpeg counts on from those that
have one: a lost picture leaves no gap in the times, but one in the numbers.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from av import Packet

CODECS = ("mpeg1video", "mpeg2video")
"""Codecs whose pictures are numbered."""
_STARTS = re.compile(rb"\x00\x00\x01(?:(\xb8)|\x00(..))", re.DOTALL)
"""A group's header, or a picture's with its number and type."""
_INTRA = 1
_MOST = 1000
"""Numbers are counted modulo 1024: a group this long is left alone."""


@dataclass
class Groups:
    """The groups of pictures that have been read so far."""

    missing: int = 0
    """Pictures that finished groups lack."""
    _numbers: list[int] = field(default_factory=list)
    _key: int | None = None
    """Number of the first picture of the group that needs no other."""
    _grouped: bool = False

    def add(self, packet: "Packet[Any]") -> None:
        """Take the next packet of the video stream."""
        for found in _STARTS.finditer(bytes(packet)):
            if found.group(1):
                self.finish()
                self._grouped = True
            else:
                self._add_picture(int.from_bytes(found.group(2), "big"))

    def _add_picture(self, header: int) -> None:
        number, kind = header >> 6, header >> 3 & 7
        self._numbers.append(number)
        if kind == _INTRA and self._key is None:
            self._key = number

    def finish(self) -> None:
        """Count what the group lacks.

        Pictures before the first key picture may be left out on purpose where a film is cut.
        Where there are no groups, or numbers fall out of use, they say nothing.
        """
        seen = set(self._numbers)
        fields = max((self._numbers.count(number) for number in seen), default=0)
        if self._grouped and seen and fields <= 2 and len(seen) < _MOST:
            first = 0 if self._key is None else self._key
            kept = [number for number in seen if number >= first]
            gaps = max(kept, default=first) + 1 - first - len(kept)
            # A group begins with a key picture.
            self.missing += max(gaps, self._key is None)
        self._numbers.clear()
        self._key = None
