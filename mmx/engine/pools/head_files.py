"""The files of the head, as nodes that do not see them read and write them: in chunks."""

import os
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mmx.engine.canonical import file_digest
from mmx.engine.errors import UserError, machine_fault
from mmx.engine.files import InputFile
from mmx.engine.receipt import OutputFile
from mmx.engine.store import Store

CHUNK = 4 * 1024 * 1024
"""Bytes of one transfer: smaller ones cost more CPU time, larger ones memory."""


class HeadError(UserError):
    """The head cannot store a result: no fault of the node that delivers it."""


@dataclass
class Moved:
    """Counts since the run began."""

    parts: int = 0
    sent: int = 0
    """Bytes from the head."""
    received: int = 0
    """Bytes to the head."""


@dataclass
class HeadFiles:
    """Gives nodes the inputs that were offered, by digest alone, and takes their outputs."""

    store: Store
    offered: dict[str, Path] = field(default_factory=dict)
    moved: Moved = field(default_factory=Moved)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __reduce__(self) -> tuple[type["HeadFiles"], tuple[Store]]:
        """Travel without the lock, and empty."""
        return HeadFiles, (self.store,)

    def offer(self, files: Iterable[InputFile]) -> None:
        """Let nodes read these files."""
        self.offered |= {file.sha256: file.path for file in files}

    def size(self, sha256: str) -> int:
        """Return the bytes of an offered file; -1 where it is gone."""
        try:
            return self.offered[sha256].stat().st_size
        except FileNotFoundError:
            return -1

    def read(self, sha256: str, start: int) -> bytes:
        """Return a chunk of an offered file; empty at its end."""
        with self.offered[sha256].open("rb") as file:
            file.seek(start)
            chunk = file.read(CHUNK)
        self._count(sent=len(chunk))
        return chunk

    def begin(self) -> str:
        """Return the name of a new upload."""
        folder = self.store.root / "tmp"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix="upload-", dir=folder)
        except OSError as error:
            raise _head_error(error) from None
        os.close(descriptor)
        return Path(name).name

    def write(self, upload: str, start: int, chunk: bytes) -> None:
        """Write a chunk of an upload."""
        try:
            with self._upload(upload).open("r+b") as file:
                file.seek(start)
                file.write(chunk)
        except OSError as error:
            raise _head_error(error) from None
        self._count(received=len(chunk))

    def finish(self, upload: str, expected: OutputFile) -> bool:
        """Hash an upload and put it into the store; False, and nothing kept, for other bytes."""
        return self._keep(self._upload(upload), expected)

    def adopt(self, path: Path, expected: OutputFile) -> bool:
        """Take over a file that a node wrote below the store's tmp/, as `finish` does."""
        return path.is_relative_to(self.store.root / "tmp") and self._keep(path, expected)

    def count(self, parts: int) -> None:
        """Count parts of items that a worker has finished."""
        self._count(parts=parts)

    def counts(self) -> Moved:
        """Return the counts."""
        return self.moved

    def _count(self, *, parts: int = 0, sent: int = 0, received: int = 0) -> None:
        with self._lock:
            now = self.moved
            self.moved = Moved(now.parts + parts, now.sent + sent, now.received + received)

    def _upload(self, name: str) -> Path:
        return self.store.root / "tmp" / Path(name).name

    def _keep(self, path: Path, expected: OutputFile) -> bool:
        try:
            if (path.stat().st_size, file_digest(path)) != (expected.size, expected.sha256):
                path.unlink()
                return False
            self.store.put_file(path, expected.name)
        except OSError as error:
            raise _head_error(error) from None
        return True


def _head_error(error: OSError) -> HeadError:
    reason = machine_fault(error) or error.strerror
    return HeadError(f"the head could not store the result: {reason}")
