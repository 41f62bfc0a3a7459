"""release.json: what a release says of itself, and what was taken out of it later."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmx.engine.atomic import write_atomic
from mmx.errors import UserError

ABOUT_FILE = "release.json"


class ReleaseError(UserError):
    """A folder is not a release, or none can be made of what there is."""


@dataclass(frozen=True)
class Taken:
    """Trailers that were taken out of the release after it was made."""

    date: str
    tombstones: tuple[str, ...]
    """Their names in the project's data/forgotten."""
    reason: str
    by: str
    """Who signed it off."""
    former_root: str
    """Root digest before."""


@dataclass(frozen=True)
class About:
    """All of it."""

    version: str
    date: str
    """Day, ISO 8601."""
    name: str
    creator: str = ""
    url: str = ""
    contact: str = ""
    commit: str = ""
    """The project's commit that it was made of."""
    taken: tuple[Taken, ...] = field(default=())


def write_about(folder: Path, about: About) -> None:
    """Write release.json."""
    content = json.dumps(asdict(about), indent=1, ensure_ascii=False)
    write_atomic(folder / ABOUT_FILE, f"{content}\n".encode())


def read_about(folder: Path) -> About:
    """Return what release.json says; raise ReleaseError where there is no valid one."""
    try:
        data = json.loads((folder / ABOUT_FILE).read_text(encoding="utf-8"))
        taken = [
            Taken(**{**each, "tombstones": tuple(each["tombstones"])}) for each in data["taken"]
        ]
        return About(**{**data, "taken": tuple(taken)})
    except (OSError, ValueError, TypeError, KeyError):
        raise ReleaseError(f"{folder} is not a release: it has no valid {ABOUT_FILE}") from None


def _taken(data: dict[str, Any]) -> Taken:
    return Taken(**{**data, "tombstones": tuple(data["tombstones"])})
