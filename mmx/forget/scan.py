"""Look for trailers that were taken out, by their tombstones, in every file there is.

A file is recognised by its sha256, or by its name if that is a digest; by ids in its name; in a
table of Parquet by the ids in its columns; in any other file by every word that is as long as an
id.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pyarrow.parquet as pq

from mmx.engine.canonical import file_digest
from mmx.engine.parquet import UNREADABLE, read_parquet
from mmx.forget.clean import LARGEST, OWNERS, noted_rows
from mmx.forget.traces import NAME, PARQUET
from mmx.outputs import ITEM
from mmx.trailers.tombstones import Tombstone, concealed


@dataclass(frozen=True)
class Remains:
    """A file that still has something of a trailer."""

    place: str
    file: str
    how: str
    """By what it was recognised."""
    tombstone: str


@dataclass
class Scan:
    """One search; files that several places share are read once."""

    tombstones: list[Tombstone]
    files: int = 0
    size: int = 0
    """Bytes read."""
    found: list[Remains] = field(default_factory=list)
    _read: dict[tuple[int, int, int], tuple[str, str]] = field(default_factory=dict)

    @cached_property
    def _ids(self) -> dict[str, str]:
        """Tombstone by concealed id."""
        return {each.trailer_id: each.name for each in self.tombstones}

    @cached_property
    def _digests(self) -> dict[str, str]:
        """Tombstone by concealed sha256 of a file."""
        return {
            digest: each.name
            for each in self.tombstones
            for digest in (*each.content, *each.derived)
        }

    @cached_property
    def _words(self) -> re.Pattern[bytes]:
        """Every word that is as long as one of the ids."""
        lengths = "|".join(f"[{NAME}]{{{n}}}" for n in sorted({t.length for t in self.tombstones}))
        return re.compile(f"(?<![{NAME}])(?:{lengths})(?![{NAME}])".encode())

    def look(self, place: str, path: Path, name: str) -> None:
        """Look at one file of a place, which calls it `name`."""
        if self.look_at_name(place, name):
            return
        how, tombstone = self._inside(path)
        if tombstone:
            self.found.append(Remains(place, name, how, tombstone))

    def look_at_name(self, place: str, name: str) -> bool:
        """Look at the name of a file alone; say whether it has an id in it."""
        self.files += 1
        digest = self._digests.get(concealed(name.rpartition("/")[2]), "")
        tombstone = digest or self._among(self._words.findall(name.encode()))
        if tombstone:
            self.found.append(Remains(place, name, "its name", tombstone))
        return bool(tombstone)

    def _inside(self, path: Path) -> tuple[str, str]:
        """Return how a file is recognised, and whose it is; empty where it is nobody's."""
        state = path.stat()
        key = state.st_dev, state.st_ino, state.st_mtime_ns
        if key not in self._read:
            self.size += state.st_size
            self._read[key] = next(self._recognised(path, state.st_size), ("", ""))
        return self._read[key]

    def _recognised(self, path: Path, size: int) -> Iterator[tuple[str, str]]:
        digest = self._digests.get(concealed(file_digest(path)))
        if digest:
            yield "its sha256", digest
        with path.open("rb") as file:
            head = file.read(len(PARQUET))
        if head == PARQUET and (owner := self._among(_ids_in(path))):
            yield "an id in a column or a note", owner
        elif size <= LARGEST and (owner := self._among(self._words.findall(path.read_bytes()))):
            yield "an id in its bytes", owner

    def _among(self, words: Iterable[bytes]) -> str:
        """Return the tombstone of the first word that is an id of one."""
        known = self._ids
        for word in set(words):
            name = known.get(concealed(word.decode("utf-8", "replace")))
            if name:
                return name
        return ""


def _ids_in(path: Path) -> Iterator[bytes]:
    """Yield every id in the columns of a table that hold ids, and in its notes."""
    try:
        schema = pq.read_schema(path)
        names = set(schema.names)
        for note in (schema.metadata or {}).values():
            yield from (str(row[0]).encode() for row in noted_rows(note))
        for column in names & {ITEM, OWNERS}:
            values = read_parquet(path, [column])[column].combine_chunks()
            values = values.flatten() if column == OWNERS else values
            yield from (value.encode() for value in values.to_pylist() if value)
    except (*UNREADABLE, AttributeError):
        return
