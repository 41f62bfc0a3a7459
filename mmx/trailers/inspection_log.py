"""What ingest found in each video, in one file: a line per video, written as soon as it is found.

An interrupted ingest so loses the videos in hand alone. A line that a crash cut off, or that is not
what this module writes, is no line: its video is read again.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import NoneType
from typing import Any

import orjson

from mmx.engine.atomic import write_atomic
from mmx.engine.canonical import canonical
from mmx.engine.files import FileRefusedError, FileState, read_regular
from mmx.engine.plain import is_sha256

_LARGEST = 1 << 32
"""Bytes of the file: a million videos have fewer."""
_NO_ENTRY = (ValueError, KeyError, TypeError, RecursionError)
"""What reading a line raises that is none."""


@dataclass(frozen=True)
class Inspection:
    """What reading a file found."""

    sha256: str
    size: int
    """Bytes."""
    facts: dict[str, Any] | None
    """Columns of sources.parquet that come from the probe; None where the file cannot be used."""
    fault: str = ""
    """Why it cannot be used, in one sentence."""


@dataclass(frozen=True)
class _Entry:
    """One line."""

    state: FileState
    """Of the video when it was read."""
    stamp: str
    found: Inspection

    def __bytes__(self) -> bytes:
        data = {"state": str(self.state), "stamp": self.stamp, "found": asdict(self.found)}
        # The end of the line before comes first: that line may have been cut off by a crash.
        return b"\n" + canonical(data)


@dataclass(frozen=True)
class InspectionLog:
    """The file, as a reader of videos with this `stamp` sees it."""

    path: Path
    stamp: str
    """Digest of all that an inspection depends on besides the video."""

    def load(self) -> dict[FileState, Inspection]:
        """Return what is known by this stamp, by the video's state."""
        entries = _entries(self.path)
        return {entry.state: entry.found for entry in entries if entry.stamp == self.stamp}

    @contextmanager
    def appending(self) -> Iterator[Callable[[FileState, Inspection], None]]:
        """Yield a function that adds what was found in a video with this state."""
        if not self.path.is_file():
            _replace(self.path, ())
        with self.path.open("ab") as file:

            def append(state: FileState, found: Inspection) -> None:
                file.write(bytes(_Entry(state, self.stamp, found)))
                file.flush()

            yield append

    def keep_only(self, files: Mapping[FileState, Inspection]) -> None:
        """Replace all lines by those of `files`."""
        _replace(self.path, [_Entry(state, self.stamp, files[state]) for state in files])


def known_states(path: Path) -> dict[FileState, str]:
    """Return the sha256 of every file that ingest has read, by the state that it had then.

    The digest of bytes does not depend on the stamp. Empty where there is no valid line.
    """
    return {entry.state: entry.found.sha256 for entry in _entries(path)}


def drop_inspections(path: Path, digests: Container[str]) -> int:
    """Remove what was found in videos with these sha256; return how many lines that were.

    What is no line is removed too.
    """
    entries = list(_entries(path))
    kept = [entry for entry in entries if entry.found.sha256 not in digests]
    if path.exists():
        _replace(path, kept)
    return len(entries) - len(kept)


def _replace(path: Path, entries: Iterable[_Entry]) -> None:
    write_atomic(path, b"".join(map(bytes, entries)))


def _entries(path: Path) -> Iterator[_Entry]:
    """Yield every valid line; none where there is no file, or what is there is no file."""
    try:
        lines = read_regular(path, _LARGEST).splitlines()
    except (FileNotFoundError, IsADirectoryError, FileRefusedError):
        return
    for line in lines:
        with suppress(*_NO_ENTRY):
            yield _parsed(orjson.loads(line))


def _parsed(data: Any) -> _Entry:
    """Return the line that JSON data say; raise one of _NO_ENTRY where they say none."""
    found = Inspection(**data["found"])
    sound = isinstance(found.facts, dict | NoneType) and isinstance(found.fault, str)
    if not (is_sha256(found.sha256) and type(found.size) is int and sound):
        raise ValueError("not an inspection")
    return _Entry(FileState.parse(str(data["state"])), str(data["stamp"]), found)
