"""The pages of an Ogg file: whether all are there and undamaged, and whether they end.

RFC 3533: a page begins with `OggS`, has a number in its stream, a checksum, and a flag on the last
one of a stream. FFmpeg leaves damaged pages out and says nothing.
"""

import zlib
from dataclasses import dataclass, field
from pathlib import Path

HEADER = 27
"""Bytes before the table of segments."""
LAST = 4
"""Flag of the last page of a stream."""
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


@dataclass
class Pages:
    """What was found."""

    damaged: int = 0
    """Pages with a wrong checksum or number, and places where no page begins."""
    open_streams: set[int] = field(default_factory=set)
    """Serial numbers of the streams that have no last page."""
    _next: dict[int, int] = field(default_factory=dict)

    def add(self, page: bytes) -> None:
        """Take the next page, whole."""
        flags, serial = page[5], int.from_bytes(page[14:18], "little")
        number = int.from_bytes(page[18:22], "little")
        bare = page[:22] + bytes(4) + page[26:]
        whole = _checksum(bare) == int.from_bytes(page[22:26], "little")
        self.damaged += not whole or number != self._next.get(serial, number)
        self._next[serial] = number + 1
        self.open_streams.add(serial)
        if flags & LAST:
            self.open_streams.discard(serial)


def read_pages(path: Path) -> Pages:
    """Read all pages of an Ogg file, one in memory at a time."""
    found = Pages()
    with open(path, "rb") as file:
        while head := file.read(HEADER):
            table = file.read(head[26]) if len(head) == HEADER else b""
            body = file.read(sum(table))
            if head[:4] != b"OggS" or len(body) != sum(table) or len(table) != head[26]:
                found.damaged += 1
                return found
            found.add(head + table + body)
    return found


def _checksum(page: bytes) -> int:
    """Return the checksum of a page whose own field is zero.

    CRC-32 with its bits in the other order and without inversions: zlib's, of reversed bytes.
    """
    reflected = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{reflected:032b}"[::-1], 2)
