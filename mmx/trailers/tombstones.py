"""Trailers that were taken out: data/forgotten/ has digests by which their return is refused.

A tombstone names nothing: the id, the addresses and the digests of files and streams are in it as
sha256 of them, and of the pictures it has an imprint, from which none can be shown. It is kept in
git, so that every clone refuses.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

from mmx.engine.atomic import write_atomic
from mmx.errors import UserError
from mmx.layout import Layout
from mmx.trailers.imprint import Imprint
from mmx.trailers.signature import Signature


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
    imprints: tuple[str, ...] = ()
    """Packed `Imprint` of every version of its video that could be read; its salt is
    `trailer_id`. Tombstones of earlier versions of mmx have none."""

    def recognises(self, film: Signature) -> bool:
        """Say whether a film's pictures are those of the trailer."""
        return any(each.recognises(film) for each in self._imprints)

    def joined(self, earlier: "Tombstone") -> "Tombstone":
        """Return the tombstone with all by which an earlier one recognises the trailer, too."""
        return replace(
            self,
            content=_union(self.content, earlier.content),
            derived=_union(self.derived, earlier.derived),
            addresses=_union(self.addresses, earlier.addresses),
            imprints=_union(self.imprints, earlier.imprints),
        )

    @cached_property
    def _imprints(self) -> list[Imprint]:
        return [Imprint.unpack(each, self.trailer_id) for each in self.imprints]


def _union(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*one, *other}))


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
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        lists = {name: tuple(data[name]) for name in ("content", "derived", "addresses")}
        found = Tombstone(**{**data, **lists, "imprints": tuple(data.get("imprints", ()))})
        for imprint in found.imprints:
            Imprint.unpack(imprint, found.trailer_id)
        return found
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

    @property
    def imprints(self) -> list[str]:
        """All that pictures are compared with."""
        return [f"{t.name} {each}" for t in self.tombstones for each in t.imprints]

    def reason_by_pictures(self, film: Signature) -> str:
        """Return why a film is refused that is encoded anew; empty where it is not."""
        found = (each for each in self.tombstones if each.recognises(film))
        return next((_told(each, "its pictures") for each in found), "")


def _told(tombstone: Tombstone, by: str) -> str:
    return (
        f"was taken out of the collection on {tombstone.date}, recognised by {by} "
        f"(data/forgotten/{tombstone.name}.json)"
    )
