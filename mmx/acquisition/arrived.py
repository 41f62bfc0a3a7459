"""What a source says of a video that it has fetched, and the names of files."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mmx.acquisition.outcome import Outcome

_NAMES = (
    "3gp",
    "avi",
    "flv",
    "m4v",
    "mkv",
    "mov",
    "mp4",
    "mpeg",
    "mpg",
    "ogv",
    "ts",
    "webm",
    "wmv",
)
SUFFIXES = frozenset(f".{name}" for name in _NAMES)
"""Of videos; a file of another name gets none."""
GONE, BLOCKED, LIMITED = (404, 410), (401, 402, 403, 407), (429, 503)
REGION, NETWORK = (451,), (408, 500, 502, 504)


@dataclass(frozen=True)
class Arrived:
    """A whole file, not yet among the videos."""

    path: Path
    suffix: str
    """With its dot; one of SUFFIXES, or empty."""
    format: str
    uploader: str = ""
    licence: str = ""


def known_suffix(names: Iterable[str]) -> str:
    """Return the suffix of the first name that has one of a video; empty where none does.

    >>> known_suffix(["film.PHP", "a.MP4"])
    '.mp4'
    """
    suffixes = (Path(name).suffix.lower() for name in names)
    return next((suffix for suffix in suffixes if suffix in SUFFIXES), "")


def outcome_of(status: int) -> Outcome:
    """Return the class of an answer by its HTTP status, which is not of success."""
    classes = {
        Outcome.gone: GONE,
        Outcome.blocked: BLOCKED,
        Outcome.limited: LIMITED,
        Outcome.region: REGION,
        Outcome.network: NETWORK,
    }
    return next((name for name, codes in classes.items() if status in codes), Outcome.broken)
