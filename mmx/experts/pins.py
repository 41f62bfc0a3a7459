"""Digests of files of weights, and the lock file that pins them on first use."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from mmx.engine.plain import is_plain_path, is_sha256
from mmx.errors import UserError
from mmx.experts.base import Digest
from mmx.yamlfile import YamlError, read_yaml

LOCK_HEADER = (
    "# The sha256 of each file of weights when it was first used here: commit this file.\n"
    "# A file with another sha256 is refused until its entry is deleted.\n"
)


class WeightsError(UserError):
    """Weights are missing or refused; the message says which, and what to do."""


@dataclass(frozen=True)
class Hashes:
    """All kinds of digests of one file that are published."""

    size: int
    """Bytes."""
    sha256: str
    """Of the bytes."""
    git_blob: str
    """sha1 of git's header and the bytes."""

    def match(self, digest: Digest) -> bool:
        """Say whether `digest`, of whatever kind, is that of this file."""
        if digest.kind == "sha256_prefix":
            return self.sha256.startswith(digest.value)
        return {"sha256": self.sha256, "git_blob": self.git_blob}[digest.kind] == digest.value


@dataclass(frozen=True)
class Pin:
    """The digest and source of a file when it was first used."""

    sha256: str
    """Of the whole file."""
    size: int
    """Bytes."""
    source: str
    """The address that published it; empty if unknown."""
    accepted: bool = False
    """True: the user accepted this file in place of the published one."""


def hash_file(path: Path) -> Hashes:
    """Read a file once and return its digests."""
    size = path.stat().st_size
    whole, blob = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            whole.update(chunk)
            blob.update(chunk)
    return Hashes(size, whole.hexdigest(), blob.hexdigest())


def read_pins(lock: Path) -> dict[str, Pin]:
    """Return file name -> pin; none where there is no lock file yet."""
    try:
        entries = read_yaml(lock) or {}
        pins = {file: Pin(**entry) for file, entry in entries.items()}
        odd = [file for file, pin in pins.items() if not _is_sound(file, pin)]
        if odd:
            raise TypeError(f"{str(odd[0])[:80]!r} has no digest and size")
        return pins
    except FileNotFoundError:
        return {}
    except (YamlError, AttributeError, TypeError) as error:
        raise WeightsError(
            f"{lock.name} is not a list of pinned weights: {error}; "
            "take it from your last commit, or delete it to pin anew"
        ) from None


def _is_sound(file: object, pin: Pin) -> bool:
    """Say whether an entry names a file and its digest."""
    sizes = type(pin.size) is int and type(pin.accepted) is bool and isinstance(pin.source, str)
    return is_plain_path(file) and is_sha256(pin.sha256) and sizes


def write_pins(lock: Path, pins: dict[str, Pin]) -> None:
    """Write the lock file, whole or not at all."""
    entries = {file: asdict(pin) for file, pin in pins.items()}
    part = lock.with_name(f".{lock.name}.{os.getpid()}")
    part.write_text(LOCK_HEADER + yaml.safe_dump(entries), encoding="utf-8")
    os.replace(part, lock)


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder against other processes that write there."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
