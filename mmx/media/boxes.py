"""How long a container says that it is, by its outermost boxes, which FFmpeg does not tell.

ISO files (ISO/IEC 14496-12, section 4.2) are a row of boxes: four bytes of size, four of type; a
size of 1 is followed by eight bytes of size, and 0 means up to the end of the file. AVI is a row of
RIFF chunks. Matroska (RFC 9559) is an EBML header and a segment, whose size may be unknown.
"""

from pathlib import Path
from typing import BinaryIO

MOST_BOXES = 100_000
SEGMENT = b"\x18\x53\x80\x67"


def top_level_boxes(path: Path) -> list[tuple[bytes, int]]:
    """Return (type, where it ends) of an ISO file's outermost boxes, up to a broken one."""
    found: list[tuple[bytes, int]] = []
    size = path.stat().st_size
    with open(path, "rb") as file:
        at = 0
        while at + 8 <= size and len(found) < MOST_BOXES:
            file.seek(at)
            header = file.read(16)
            length = int.from_bytes(header[:4], "big")
            if length == 1:
                length = int.from_bytes(header[8:16], "big")
            length = length or size - at
            if length < 8:
                break
            at += length
            found.append((header[4:8], at))
    return found


def declared_end(path: Path, container: str) -> int:
    """Return how many bytes a file says that it has; 0 where it does not say."""
    if container.startswith("mov"):
        return max(
            (end for kind, end in top_level_boxes(path) if kind in (b"mdat", b"moov")), default=0
        )
    with open(path, "rb") as file:
        if container == "avi":
            header = file.read(8)
            return 8 + int.from_bytes(header[4:8], "little") if header[:4] == b"RIFF" else 0
        return _segment_end(file) if container.startswith("matroska") else 0


def _segment_end(file: BinaryIO) -> int:
    """Return where a Matroska file's segment ends; 0 where its size is unknown."""
    header = file.read(4096)
    start = 4
    size, width = _number(header, start)
    at = start + width + (size or 0)
    if header[at : at + 4] != SEGMENT:
        return 0
    size, width = _number(header, at + 4)
    return 0 if size is None else at + 4 + width + size


def _number(data: bytes, at: int) -> tuple[int | None, int]:
    """Return an EBML number and its length in bytes; None for the one that means unknown."""
    first = data[at] if at < len(data) else 0
    width = 9 - first.bit_length()
    if width > 8:
        return None, 1
    bits = 7 * width
    value = int.from_bytes(data[at : at + width], "big") & ((1 << bits) - 1)
    return (None if value == (1 << bits) - 1 else value), width
