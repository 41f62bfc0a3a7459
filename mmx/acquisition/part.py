"""A file in the making, and what its host said of it: without that, it is not gone on with."""

import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from urllib3.response import BaseHTTPResponse

from mmx.engine.atomic import write_atomic

_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


@dataclass(frozen=True)
class Announced:
    """What the host said as the file began."""

    url: str
    validator: str
    """Strong ETag, else Last-Modified; empty where the host gives neither."""
    total: int | None
    """Bytes; None where the host did not say."""
    format: str
    ended: int | None = None
    """Bytes at which the connection last ended before `total`."""


@dataclass(frozen=True)
class Part:
    """A file in the making."""

    path: Path

    @property
    def note(self) -> Path:
        """File with what the host said."""
        return self.path.with_name(f"{self.path.name}.json")

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    def announced(self, url: str) -> Announced | None:
        """Return what the host said of this address; None where nothing usable is there."""
        try:
            found = Announced(**json.loads(self.note.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None
        return found if found.url == url else None

    def begin(self, announced: Announced) -> None:
        """Empty the file, and note what the host says."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        self.keep(announced)

    def keep(self, announced: Announced) -> None:
        """Note what the host says."""
        write_atomic(self.note, json.dumps(asdict(announced)).encode())

    def drop(self) -> None:
        """Remove the file and the note."""
        for path in (self.path, self.note):
            path.unlink(missing_ok=True)

    def is_whole(self, announced: Announced) -> bool:
        """Say whether all bytes are there."""
        return announced.total is not None and self.size == announced.total

    def ended_early(self, announced: Announced) -> bool:
        """Note where the connection ended; say whether an earlier one ended there, too."""
        again = announced.ended == self.size
        self.keep(replace(announced, ended=self.size))
        return again


def validator_of(response: BaseHTTPResponse) -> str:
    """Return by what a later answer can be known to be of the same bytes (RFC 9110, 13.1.5)."""
    tag = response.headers.get("ETag", "")
    if tag and not tag.startswith("W/"):
        return tag
    return response.headers.get("Last-Modified", "")


def total_of(response: BaseHTTPResponse) -> int | None:
    """Return the announced length of a whole file; None where there is none."""
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() else None


def continues(response: BaseHTTPResponse, announced: Announced, size: int) -> bool:
    """Say whether a partial answer goes on after `size` bytes of the file that was announced."""
    found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    same = validator_of(response) in ("", announced.validator)
    return found is not None and same and (int(found[1]), int(found[2])) == (size, announced.total)
