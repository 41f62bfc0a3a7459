"""Files that are plainly no videos, told from their first bytes: named before they are hashed."""

from pathlib import Path

LFS_POINTER = b"version https://git-lfs"
STARTS = {
    b"GIF8": "a GIF image",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"ID3": "sound without pictures",
    b"fLaC": "sound without pictures",
    b"<!DOCTYPE": "a web page",
    b"<!doctype": "a web page",
    b"<html": "a web page",
    b"#EXTM3U": "a playlist",
}
"""First bytes of files that people name like videos, and what they are."""
SPARSE = 1 << 30
"""Bytes. Holes in smaller files cost nothing to hash."""


def not_a_video(file: Path) -> str:
    """Return why a regular file cannot be a video, or nothing; only its first bytes are read."""
    with open(file, "rb") as opened:
        start = opened.read(64)
    if not start:
        return "is empty"
    if start.startswith(LFS_POINTER):
        return "is a pointer of git LFS: run `git lfs pull` where it comes from"
    if start[:4] == b"RIFF" and start[8:12] == b"WAVE":
        return "is sound without pictures, not a video"
    for known, kind in STARTS.items():
        if start.startswith(known):
            return f"is {kind}, not a video"
    return _holes(file)


def _holes(file: Path) -> str:
    found = file.stat()
    held = 512 * found.st_blocks
    if found.st_size > SPARSE and held < found.st_size / 2:
        return f"has holes: {held:,} of its {found.st_size:,} bytes are on the disk"
    return ""
