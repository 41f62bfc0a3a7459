"""data/releases.json: which releases were made, and where they are; in git."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from mmx.engine.atomic import write_atomic
from mmx.errors import UserError


class RegisterError(UserError):
    """data/releases.json is not a register, or has no such release."""


@dataclass(frozen=True)
class Entry:
    """One release."""

    version: str
    date: str
    """Day, ISO 8601."""
    root: str
    """Its root digest."""
    folder: str
    """Relative to the project where it lies in it, else absolute."""
    commit: str = ""
    """The project's commit that it was made of."""
    hub: str = ""
    """Repository on a hub that it was uploaded to."""


def _register_path(root: Path) -> Path:
    """Return where the register of the project in `root` is."""
    return root / "data" / "releases.json"


def read_register(root: Path) -> list[Entry]:
    """Return all releases, oldest first; none where there is no register."""
    try:
        content = json.loads(_register_path(root).read_text(encoding="utf-8"))
        return [Entry(**each) for each in content]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError):
        raise RegisterError(
            "data/releases.json is not a register of releases: `git checkout` an earlier version"
        ) from None


def folder_of(root: Path, entry: Entry) -> Path:
    """Return the folder of a release, whether or not it is there."""
    return root / entry.folder


def write_register(root: Path, entries: Iterable[Entry]) -> None:
    """Write the register, one release on a line, so that git merges additions by line."""
    lines = ",\n".join(json.dumps(asdict(each), ensure_ascii=False) for each in entries)
    write_atomic(_register_path(root), f"[\n{lines}\n]\n".encode())


def name_of(root: Path, folder: Path) -> str:
    """Return how the register names a folder."""
    resolved = folder.resolve()
    inside = resolved.is_relative_to(root.resolve())
    return resolved.relative_to(root.resolve()).as_posix() if inside else str(resolved)
