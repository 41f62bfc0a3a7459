"""What was found in source texts, kept in a file of the project, so that none is parsed twice.

A note stands under the digest of its text, in a file under the digest of the code that reads texts:
it is right, or it is not used.
"""

import atexit
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from mmx.engine.atomic import write_atomic
from mmx.engine.canonical import bytes_digest
from mmx.engine.files import FileRefusedError, read_regular

_READERS = ("code.py", "imports.py", "parsed.py", "syntax.py")
_LARGEST, _MOST = 1 << 26, 4000
"""Bytes of the file; notes, beyond which only those that were used are kept."""


@dataclass
class _Notes:
    """The notes that this process knows, by kind and digest of the text."""

    found: dict[str, Any] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    new: bool = False
    place: Path | None = None


_notes = _Notes()


def remember_in(path: Path) -> None:
    """Use the notes of the file `path` from now on, and write new ones there when all is done."""
    if _notes.place is None:
        atexit.register(_keep)
    if path != _notes.place:
        _notes.place = path
        _notes.found |= _load(path)


def noted(kind: str, text: str, find: Callable[[], Any]) -> Any:
    """Return what `find` finds in a text: JSON data that depends on nothing else."""
    key = f"{kind} {bytes_digest(text.encode())}"
    _notes.used.add(key)
    if key not in _notes.found:
        _notes.found[key] = find()
        _notes.new = True
    return _notes.found[key]


def _load(path: Path) -> dict[str, Any]:
    """Return the notes of a file; none where it is missing, damaged or of another reader."""
    try:
        stamp, _, content = read_regular(path, _LARGEST).partition(b"\n")
    except (OSError, FileRefusedError):
        return {}
    if stamp.decode("ascii", "replace") != _stamp(content):
        return {}
    notes: dict[str, Any] = orjson.loads(content)
    return notes


def _keep() -> None:
    """Write the notes, if there are new ones, into a folder that is there."""
    if not _notes.new or _notes.place is None or not _notes.place.parent.is_dir():
        return
    few = len(_notes.found) <= _MOST
    kept = {key: note for key, note in _notes.found.items() if few or key in _notes.used}
    content = orjson.dumps(kept)
    # Without it the next process is slower, and nothing else.
    with suppress(OSError):
        write_atomic(_notes.place, _stamp(content).encode() + b"\n" + content)


def _stamp(content: bytes) -> str:
    """Return a digest of notes, of the code that made them and of the version of Python."""
    readers = b"".join(Path(__file__).with_name(name).read_bytes() for name in _READERS)
    return bytes_digest(sys.version.encode() + readers + content)
