"""Who is using a shared folder: one small file each, touched as long as its process lives.

For machines that share a folder over a network, where locks may be missing or local. Everybody
creates a file first and looks for others afterwards, so that of two who start at once, at least
one sees the other; creating a file also makes a network file system read the folder anew. Times
are those of the file server alone. Nothing but saved work may depend on it: a machine that hangs
for longer than GONE counts as gone, and goes on when it wakes up.
"""

import glob
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from mmx.engine.files import FileRefusedError, read_regular

BEAT, GONE = 20.0, 300.0
"""Seconds between touches, and those without one after which a process counts as gone."""
_LARGEST = 1000
"""Bytes of a file."""


@contextmanager
def announced(folder: Path, kind: str, purpose: str) -> Iterator[Path]:
    """Be in the folder as `kind`, a plain word; yield the file that says so."""
    folder.mkdir(parents=True, exist_ok=True)
    host, process = socket.gethostname(), os.getpid()
    path = folder / "~".join((kind, host, str(process), secrets.token_hex(4)))
    content = f"{purpose}, process {process} on {host}".encode()
    path.write_bytes(content)
    ended = Event()
    beats = Thread(target=_keep_fresh, args=(path, content, ended), daemon=True)
    beats.start()
    try:
        yield path
    finally:
        ended.set()
        beats.join()
        path.unlink(missing_ok=True)


def _keep_fresh(path: Path, content: bytes, ended: Event) -> None:
    while not ended.wait(BEAT):
        # A full or missing disk is for the work itself to report.
        with suppress(OSError):
            if path.exists():
                os.utime(path)
            else:
                path.write_bytes(content)


def others(own: Path, *kinds: str) -> list[str]:
    """Return what everybody else of these kinds in the folder of `own` says, sorted.

    own: the file that `announced` gave. Files of those who are gone are removed.
    """
    os.utime(own)
    now = own.stat().st_mtime
    found = [path for path in sorted(own.parent.iterdir()) if path.name != own.name]
    return [_said(path) for path in found if _is_here(path, now) and _kind(path) in kinds]


def who_is_here(folder: Path, *kinds: str) -> list[str]:
    """Return what everybody of these kinds says, sorted; for onlookers: nothing is removed."""
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    now = time.time()
    return [_said(path) for path in paths if _kind(path) in kinds and _is_recent(path, now)]


def _is_recent(path: Path, now: float) -> bool:
    try:
        return abs(now - path.stat().st_mtime) <= GONE and not _has_died(path.name)
    except OSError:
        return False


def remove_own_host(folder: Path, kind: str) -> None:
    """Remove the files of this host's processes of a kind: the caller knows that they are gone."""
    for path in folder.glob(f"{kind}~{glob.escape(socket.gethostname())}~*"):
        path.unlink(missing_ok=True)


def _kind(path: Path) -> str:
    return path.name.partition("~")[0]


def _is_here(path: Path, now: float) -> bool:
    """Say whether the process of a file is there, as far as can be known."""
    # Gone in the meantime, or left by another user or program: neither is at work.
    with suppress(OSError):
        if abs(now - path.stat().st_mtime) <= GONE and not _has_died(path.name):
            return True
        path.unlink()
    return False


def _has_died(name: str) -> bool:
    """Say whether a file is of a process of this host that is no more."""
    _, host, process, _ = [*name.split("~"), "", "", ""][:4]
    if host != socket.gethostname() or not process.isdecimal():
        return False
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        pass
    return _is_zombie(process)


def _is_zombie(process: str) -> bool:
    """Say whether a process has ended, and only waits for its parent to ask how; by Linux."""
    try:
        state = Path("/proc", process, "stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state in ("Z", "X")


def _said(path: Path) -> str:
    try:
        return read_regular(path, _LARGEST).decode("utf-8", "replace")
    except (OSError, FileRefusedError):
        return path.name
