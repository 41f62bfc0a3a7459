"""Files that are either complete or absent, even after a crash during writing."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success sync it and rename it onto `path`.

    After a crash `path` is what it was before or what was written, never a part of it. With two
    writers at once, the later rename wins. On an exception the temporary file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomic(path: Path, content: bytes) -> None:
    """Write `content` to `path` through `atomic_path`."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def sync(path: Path) -> None:
    """Flush a file or folder to disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _link(source: Path, target: Path) -> None:
    """Hard-link `source` to `target`; the folder is made only where it is missing."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(source, target)


def link_or_copy(source: Path, target: Path) -> None:
    """Hard-link `source` to `target`; on another file system, copy it there atomically."""
    try:
        _link(source, target)
    except FileExistsError:
        raise
    except OSError:
        with atomic_path(target) as temporary:
            temporary.write_bytes(source.read_bytes())
