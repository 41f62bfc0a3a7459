"""The files that a node keeps, by their digest: fetched once, least recently used goes first."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mmx.engine.canonical import file_digest
from mmx.engine.files import FileState, InputChangedError, InputFile

ATTEMPTS = 2
"""Downloads of a file before its bytes count as those that there are."""


@dataclass(frozen=True)
class NodeCache:
    """A folder of files by sha256, shared by the workers of a node.

    objects/ab/abcd...  the file
    locks/ab            held while a file whose digest starts so is fetched, linked or removed
    work/NAME/          of one worker, locked by it as long as it lives
    """

    root: Path
    budget: int
    """Bytes of all objects together; one that is larger alone is kept until the next is fetched."""

    def link(self, file: InputFile, folder: Path, download: Callable[[IO[bytes]], int]) -> Path:
        """Hard-link a file below `folder`, so that its eviction cannot hurt; return the link.

        download: writes the bytes to a file; called if the cache does not have them. Raise
        InputChangedError if they are twice not those of the digest.
        """
        target = folder / file.sha256 / file.path.name
        if target.exists():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._locked(file.sha256):
            path = self._object(file.sha256)
            if not path.exists():
                self._fetch(file, path, download)
            os.utime(path)
            os.link(path, target)
        return target

    def has(self, sha256: str) -> bool:
        """Return whether a file is there."""
        return self._object(sha256).exists()

    @contextmanager
    def work_folder(self) -> Iterator[Path]:
        """Yield an empty folder for one worker, after removing those of workers that are gone."""
        parent = self.root / "work"
        parent.mkdir(parents=True, exist_ok=True)
        _sweep(parent)
        folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=parent))
        with (folder / "lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder

    def _object(self, sha256: str) -> Path:
        return self.root / "objects" / sha256[:2] / sha256

    @contextmanager
    def _locked(self, sha256: str) -> Iterator[None]:
        path = self.root / "locks" / sha256[:2]
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _fetch(self, file: InputFile, path: Path, download: Callable[[IO[bytes]], int]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        for _ in range(ATTEMPTS):
            try:
                with part.open("wb") as written:
                    self._make_room(download(written))
                if file_digest(part) == file.sha256:
                    os.replace(part, path)
                    return
            finally:
                part.unlink(missing_ok=True)
        raise InputChangedError(
            f"{file.path.name} has other bytes than its digest says: {file.remedy}"
        )

    def _make_room(self, size: int) -> None:
        """Remove the least recently used files until `size` bytes more are within the budget."""
        found = [(path, path.stat()) for path in (self.root / "objects").glob("??/" + "?" * 64)]
        total = size + sum(status.st_size for _, status in found)
        for path, status in sorted(found, key=lambda each: each[1].st_mtime_ns):
            if total <= self.budget:
                return
            path.unlink(missing_ok=True)
            total -= status.st_size


def known_in_place(file: InputFile, path: Path) -> InputFile:
    """Return an input at its place on a node, where its bytes were checked."""
    return InputFile(path, file.sha256, FileState.of(path), file.remedy)


def _sweep(parent: Path) -> None:
    """Remove the folders of workers that are gone: nobody holds their locks."""
    for folder in parent.iterdir():
        with suppress(OSError), (folder / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
