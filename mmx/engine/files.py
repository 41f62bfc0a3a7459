"""Check that the files an item reads have the expected digests, before and after it is computed."""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from mmx.engine.canonical import file_digest
from mmx.engine.errors import UserError

REMEDY = "`dvc repro` makes it again"


class FileRefusedError(UserError):
    """A file is not read, because it is a pipe or device, or too large for what it should be."""


class InputChangedError(UserError):
    """A file has another digest than expected, or is gone."""


@dataclass(frozen=True)
class FileState:
    """What identifies an unchanged file: any other or changed file has another state."""

    device: int
    inode: int
    size: int
    """Bytes."""
    mtime_ns: int
    ctime_ns: int
    """Time of the last change of content or name; a program cannot set it."""

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
    """A file and the digest under which results made from it are recorded."""

    path: Path
    sha256: str
    """Expected digest of its bytes, in hex."""
    state: FileState | None = None
    """The state in which it had this digest; None if unknown."""
    remedy: str = REMEDY
    """What the user should do where it is another file."""

    @classmethod
    def now(cls, path: Path) -> "InputFile":
        """Return the file with its present state; FileNotFoundError where there is none."""
        state = FileState.of(path)
        return cls(path, file_digest(path), state)

    @classmethod
    def known(
        cls, path: Path, sha256: str, states: Mapping[FileState, str], remedy: str = REMEDY
    ) -> "InputFile":
        """Return the file at `path`, with its state if `states` has it with this digest.

        states: digest by state, of files that were hashed before.
        """
        try:
            state = FileState.of(path)
        except FileNotFoundError:
            return cls(path, sha256, None, remedy)
        return cls(path, sha256, state if states.get(state) == sha256 else None, remedy)


def read_regular(path: Path, most: int) -> bytes:
    """Return the bytes of a regular file, links followed.

    Of a pipe or a device, reading might never end. Raise FileRefusedError for one, and for a file
    of more than `most` bytes; OSError where it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with open(descriptor, "rb", closefd=False) as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise FileRefusedError("it is a pipe or a device, not a file")
            if found.st_size > most:
                raise FileRefusedError(f"it has {found.st_size} bytes, more than {most}")
            return file.read()
    finally:
        os.close(descriptor)


@contextmanager
def unchanged(files: Iterable[InputFile]) -> Iterator[None]:
    """Check each file against its digest on entering and on leaving the context.

    A file in its known state is not read; one in another state is hashed, and passes if its bytes
    are the same. Raise InputChangedError for other bytes or a file that is gone, also in place of
    an exception from inside, which does not concern the expected file.
    """
    found = [replace(file, state=_checked(file)) for file in files]
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
    raise InputChangedError(_advice(file, "has other bytes than its digest says"))


def _advice(file: InputFile, what: str) -> str:
    return f"{file.path.name} {what}: {file.remedy}"


@contextmanager
def unmodified(paths: Iterable[Path]) -> Iterator[None]:
    """Raise InputChangedError if a file at or below `paths` was modified in the context.

    For work whose results are not kept by digest: nothing is hashed. Hard links may be
    made to the files, which changes their ctime.
    """
    places = list(paths)
    before = _states(places)
    yield
    after = _states(places)
    changed = sorted(path for path in before | after if before.get(path) != after.get(path))
    if changed:
        raise InputChangedError(
            f"{changed[0].name} was changed while it was read: run `dvc repro` again"
        )


def _states(places: Iterable[Path]) -> dict[Path, FileState]:
    files = (path for place in places for path in (place, *place.rglob("*")) if path.is_file())
    return {path: replace(FileState.of(path), ctime_ns=0) for path in files}
