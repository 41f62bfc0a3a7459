"""Make a release: tables, what describes them, and what is new since the one before."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from mmx.engine.atomic import write_atomic
from mmx.engine.canonical import file_digest
from mmx.release.about import About, ReleaseError, write_about
from mmx.release.describe import describe_release
from mmx.release.tables import Content, write_tables
from mmx.release.verify import verify_release

CHANGES_FILE = "CHANGES.md"
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True)
class Built:
    """A release that was made."""

    root: str
    """Its root digest."""
    files: int
    unchanged: int
    """Tables whose bytes are those of the release before."""


def build_release(
    out: Path, content: Content, about: About, changes: str, previous: Path | None = None
) -> Built:
    """Make a release in the new or empty folder `out`.

    changes: text of CHANGES.md. previous: the folder of the release before, whose equal files are
    linked and take no space. Raise ReleaseError for a folder that is not empty. After an
    interruption there is no folder.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ReleaseError(f"{out} is not empty: name a new folder")
    making = out.with_name(f".{out.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    write_tables(content, making)
    write_about(making, about)
    write_atomic(making / CHANGES_FILE, changes.encode())
    root = describe_release(making)
    findings = verify_release(making)
    if findings:
        raise ReleaseError(f"what there is does not fit together: {findings[0]}")
    unchanged = _link_equal(making, previous) if previous and previous.exists() else 0
    if out.exists():
        out.rmdir()
    os.replace(making, out)
    return Built(root, sum(1 for _ in out.rglob("*.parquet")), unchanged)


def _link_equal(folder: Path, previous: Path) -> int:
    """Make tables that an earlier release has too hard links to it; return how many."""
    count = 0
    for path in sorted(folder.rglob("*.parquet")):
        other = previous / path.relative_to(folder)
        if other.exists() and file_digest(other) == file_digest(path):
            count += 1
            _link(other, path)
    return count


def _link(source: Path, target: Path) -> None:
    """Replace a file by a hard link, where the file systems allow it."""
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        os.link(source, temporary)
    except OSError:
        return
    os.replace(temporary, target)


def next_version(versions: list[str]) -> str:
    """Return the version after the latest: 1.0.0, then its middle number counted up.

    >>> next_version([]), next_version(["1.0.0", "1.10.2"])
    ('1.0.0', '1.11.0')
    """
    known = [
        tuple(map(int, found.groups())) for each in versions if (found := _VERSION.fullmatch(each))
    ]
    return f"{max(known)[0]}.{max(known)[1] + 1}.0" if known else "1.0.0"


def check_version(version: str) -> None:
    """Raise ReleaseError for a version that is not three numbers."""
    if not _VERSION.fullmatch(version):
        raise ReleaseError(f"version {version!r} is not three numbers with dots, such as 1.0.0")
