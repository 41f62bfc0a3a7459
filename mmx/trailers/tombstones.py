"""Trailers that were taken out: data/forgotten/ has digests by which their return is refused.

A tombstone names nothing: the id, the addresses and the digests of files and streams are in it as
sha256 of them. It is kept in git, so that every clone refuses.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from mmx.engine.atomic import write_atomic
from mmx.errors import UserError
from mmx.layout import Layout


class TombstoneError(UserError):
    """A file in data/forgotten is not a tombstone."""


@dataclass(frozen=True)
class Tombstone:
    """What remains of one trailer."""

    name: str
    """16 hexadecimal digits, the first of `trailer_id`."""
    trailer_id: str
    """`concealed` id."""
    length: int
    """Number of characters of the id: by which a scan of bytes finds candidates."""
    content: tuple[str, ...]
    """`concealed` sha256 of its videos, and digests of their streams, of every revision."""
    derived: tuple[str, ...]
    """`concealed` sha256 of every file that was made of it alone."""
    addresses: tuple[str, ...]
    """`concealed` addresses that it came from."""
    date: str
    """Day, ISO 8601."""
    reason: str
    by: str
    """Who signed it off, as git names them."""


def concealed(text: str) -> str:
    """Return the sha256 of a text, hexadecimal, by which it can be recognised but not read."""
    return hashlib.sha256(f"mmx forgotten {text}".encode()).hexdigest()


def tombstones_folder(root: Path) -> Path:
    """Return the folder of the tombstones of the project in `root`; in git."""
    return root / "data" / "forgotten"


def write_tombstone(root: Path, tombstone: Tombstone) -> None:
    """Write or replace a tombstone."""
    content = json.dumps(asdict(tombstone), indent=1, sort_keys=True, ensure_ascii=False)
    write_atomic(tombstones_folder(root) / f"{tombstone.name}.json", f"{content}\n".encode())


def read_tombstones(root: Path) -> list[Tombstone]:
    """Return all tombstones, by name; raise TombstoneError for a file that is not one."""
    return [_read(path) for path in sorted(tombstones_folder(root).glob("*.json"))]


def _read(path: Path) -> Tombstone:
    lists = ("content", "derived", "addresses")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Tombstone(**{**data, **{name: tuple(data[name]) for name in lists}})
    except (ValueError, TypeError, KeyError):
        raise TombstoneError(
            f"data/forgotten/{path.name} is not a tombstone: `git checkout` an earlier version"
        ) from None


@dataclass(frozen=True)
class Refusals:
    """Recognises trailers that were taken out."""

    tombstones: tuple[Tombstone, ...]

    @classmethod
    def of(cls, layout: Layout) -> "Refusals":
        """Return those of a project."""
        return cls(tuple(read_tombstones(layout.root)))

    def reason(self, trailer_id: str, address: str, digests: Iterable[str]) -> str:
        """Return why a trailer is refused; empty where it is not.

        digests: sha256 of the file and digests of its streams, as far as they are known.
        """
        by_name, by_address = concealed(trailer_id), concealed(address)
        content = {concealed(digest) for digest in digests if digest}
        for tombstone in self.tombstones:
            if not content.isdisjoint(tombstone.content):
                return _told(tombstone, "its video")
            if address and by_address in tombstone.addresses:
                return _told(tombstone, "its address")
            if by_name == tombstone.trailer_id:
                return _told(tombstone, "its trailer_id")
        return ""


def _told(tombstone: Tombstone, by: str) -> str:
    return (
        f"was taken out of the collection on {tombstone.date}, recognised by {by} "
        f"(data/forgotten/{tombstone.name}.json)"
    )
