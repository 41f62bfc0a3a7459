"""Whether the files that an item reads are the ones whose digests it is known by, all the while."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

from mmx.items.canonical import file_digest


class InputChangedError(Exception):
    """A file has other bytes than were pinned, or is gone."""


@dataclass(frozen=True)
class FileState:
    """What tells a file, unchanged, from any other and from itself before a change."""

    device: int
    inode: int
    size: int
    """Bytes."""
    mtime_ns: int
    ctime_ns: int
    """Of the last change of content or name; a program cannot set it."""

    @classmethod
    def of(cls, path: Path) -> "FileState":
        """Return the state of the file at `path`, links followed; OSError where there is none."""
        found = os.stat(path)
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    @classmethod
    def parse(cls, text: str) -> "FileState":
        """Return the state that `str` wrote; raise ValueError for any other text."""
        device, inode, size, mtime_ns, ctime_ns = map(int, text.split(":"))
        return cls(device, inode, size, mtime_ns, ctime_ns)

    def __str__(self) -> str:
        """Return the five numbers with colons between them."""
        return ":".join(map(str, astuple(self)))


@dataclass(frozen=True)
class InputFile:
    """A file and the digest that results made from it are known by."""

    path: Path
    sha256: str
    """Digest, in hex, that its bytes must have."""
    state: FileState | None = None
    """The state in which it had this digest; None if unknown."""

    @classmethod
    def known(cls, path: Path, sha256: str, states: Mapping[FileState, str]) -> "InputFile":
        """Return the file at `path`, with its state if `states` has it with this digest.

        `states`: digest by state, of files that were hashed before.
        """
        try:
            state = FileState.of(path)
        except FileNotFoundError:
            return cls(path, sha256)
        return cls(path, sha256, state if states.get(state) == sha256 else None)


@contextmanager
def unchanged(files: Iterable[InputFile]) -> Iterator[None]:
    """Hold each file against its digest before what is done inside, and after.

    A file in its known state is not read; one in another state is hashed, and passes if its bytes
    are the same. Raise InputChangedError for other bytes or a file that is gone, also in place of
    an error from inside: that is no word on the file that was meant.
    """
    found = [InputFile(file.path, file.sha256, _checked(file)) for file in files]
    try:
        yield
    finally:
        for file in found:
            _checked(file)


def _checked(file: InputFile) -> FileState:
    """Return the state of a file with the right bytes, as it was before they were read."""
    try:
        state = FileState.of(file.path)
        if state == file.state or file_digest(file.path) == file.sha256:
            return state
    except FileNotFoundError:
        raise InputChangedError(_advice(file, "is gone")) from None
    raise InputChangedError(_advice(file, "has other bytes than were pinned"))


def _advice(file: InputFile, what: str) -> str:
    return (
        f"{file.path.name} {what}: put the old file back, or run `mmx accept` with its trailer's "
        "id if another replaces it; then run `dvc repro`"
    )
