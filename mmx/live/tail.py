"""A journal that grows: each look reads only what is new."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO


@dataclass
class Tail:
    """The lines of one file so far."""

    path: Path
    entries: list[dict[str, Any]] = field(default_factory=list)
    _read: tuple[int, int] = (0, 0)
    """The file's inode, and how many bytes of it were read."""

    def look(self) -> list[dict[str, Any]]:
        """Return all entries, the new ones too; a line that is being written comes next time."""
        try:
            with self.path.open("rb") as file:
                self._take(file)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            self.entries, self._read = [], (0, 0)
        return self.entries

    def _take(self, file: BinaryIO) -> None:
        found = os.fstat(file.fileno())
        inode, offset = self._read
        if inode != found.st_ino or offset > found.st_size:
            # Another file: trailers were taken out of it.
            self.entries, offset = [], 0
        file.seek(offset)
        whole, newline, _ = file.read().rpartition(b"\n")
        self.entries += [entry for line in whole.splitlines() if (entry := _entry(line))]
        self._read = (found.st_ino, offset + len(whole) + len(newline))


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None
