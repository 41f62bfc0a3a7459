"""The outermost boxes of an ISO file (MP4, MOV): what FFmpeg does not tell of them.

ISO/IEC 14496-12, section 4.2: four bytes of size, four of type; a size of 1 is followed by eight
bytes of size, and 0 means up to the end of the file.
"""

from pathlib import Path

MOST_BOXES = 100_000


def top_level_boxes(path: Path) -> list[bytes]:
    """Return the types of the outermost boxes in order; up to the first that cannot be one."""
    found: list[bytes] = []
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
            found.append(header[4:8])
            at += length
    return found
