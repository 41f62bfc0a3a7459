"""What a trailer is recognised by: its id, and digests of its video and of all that was made of it.

They are collected from every version of every output before anything is removed: sources.parquet
and the feature store have the digests of videos, files of receipts those of results.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from mmx.engine.parquet import UNREADABLE, read_parquet
from mmx.engine.receipt import Receipt
from mmx.engine.store import Store
from mmx.outputs import ITEM, valid_receipts

PARQUET = b"PAR1"
RECEIPT_LINE = b'{"item":'
"""How each line of a file of receipts begins."""
CONTENT = ("sha256", "video_sha256", "video_digest", "sound_digest")
"""Columns with digests of a video."""
NAME = r"A-Za-z0-9_\-"
"""Letters of an id, for a character class."""


@dataclass(frozen=True)
class Traces:
    """What is looked for."""

    ids: frozenset[str]
    content: frozenset[str] = frozenset()
    """sha256 of videos, digests of streams."""
    derived: frozenset[str] = frozenset()
    """sha256 of files that were made of these trailers and of no other."""
    fingerprints: frozenset[str] = frozenset()
    """Of their items."""

    @cached_property
    def pattern(self) -> re.Pattern[bytes]:
        """An id among other bytes, not as a part of a longer name."""
        names = "|".join(map(re.escape, sorted(self.ids)))
        return re.compile(f"(?<![{NAME}])(?:{names})(?![{NAME}])".encode())

    @cached_property
    def digests(self) -> frozenset[str]:
        """All digests of files."""
        return self.content | self.derived

    def named_in(self, text: str) -> bool:
        """Say whether a text, such as a path, has one of the ids in it."""
        return self.pattern.search(text.encode()) is not None


@dataclass
class _Found:
    """What was collected of the trailers, and of all others."""

    ids: frozenset[str]
    content: dict[str, set[str]] = field(default_factory=dict)
    """Digests by trailer."""
    others_content: dict[str, str] = field(default_factory=dict)
    """A trailer by digest."""
    receipts: dict[str, Receipt] = field(default_factory=dict)
    """By fingerprint."""
    known: set[str] = field(default_factory=set)
    others_outputs: set[str] = field(default_factory=set)
    others_fingerprints: set[str] = field(default_factory=set)

    def add_receipt(self, item: str, receipt: Receipt) -> None:
        """Note the receipt of an item."""
        if item in self.ids:
            self.known.add(item)
            self.receipts[receipt.fingerprint] = receipt
        else:
            self.others_outputs |= {output.sha256 for output in receipt.outputs}
            self.others_fingerprints.add(receipt.fingerprint)

    def add_table(self, table: pa.Table) -> None:
        """Note the digests of videos in a table."""
        for row in table.to_pylist():
            digests = {row[name] for name in table.column_names if name != ITEM and row[name]}
            if row[ITEM] in self.ids:
                self.known.add(row[ITEM])
                self.content.setdefault(row[ITEM], set()).update(digests)
            else:
                self.others_content |= dict.fromkeys(digests, row[ITEM])


@dataclass(frozen=True)
class Collected:
    """The traces, and who shares a video with the trailers."""

    traces: Traces
    shared: dict[str, str]
    """Another trailer by the digest of a file or of pictures that it has in common with them."""
    known: frozenset[str]
    """Those of the trailers of which anything was found."""
    content: dict[str, list[str]]
    """Digests of videos by trailer."""


def collect(ids: Iterable[str], files: Iterable[Path], store: Store) -> Collected:
    """Return the traces of trailers in all these files (any version of any output) and the store.

    A result that another trailer has too, byte for byte, is no trace: it stays.
    """
    found = _Found(frozenset(ids))
    for path in files:
        _read_into(found, path)
    content = set().union(*found.content.values())
    shared = {each: found.others_content[each] for each in content & found.others_content.keys()}
    mine = content - shared.keys()
    _follow(found, store, mine)
    outputs = {output.sha256 for made in found.receipts.values() for output in made.outputs}
    traces = Traces(
        found.ids,
        frozenset(mine),
        frozenset(outputs - found.others_outputs),
        frozenset(found.receipts.keys() - found.others_fingerprints),
    )
    by_trailer = {trailer: sorted(digests & mine) for trailer, digests in found.content.items()}
    return Collected(traces, shared, frozenset(found.known), by_trailer)


def _read_into(found: _Found, path: Path) -> None:
    """Collect from one file: a table with digests of videos, or receipts."""
    try:
        with path.open("rb") as file:
            head = file.read(len(RECEIPT_LINE))
        if head.startswith(PARQUET):
            found.add_table(_digests_in(path))
        elif head == RECEIPT_LINE:
            for item, receipt in valid_receipts(path).items():
                found.add_receipt(item, receipt)
    except UNREADABLE:
        return


def _digests_in(path: Path) -> pa.Table:
    """Return the columns of a table with a trailer and digests of its video; empty without them."""
    import pyarrow.parquet as pq

    names = [name for name in CONTENT if name in pq.read_schema(path).names]
    known = ITEM in pq.read_schema(path).names
    return read_parquet(path, [ITEM, *names]) if names and known else pa.table({ITEM: []})


def _follow(found: _Found, store: Store, content: set[str]) -> None:
    """Add receipts of the store that derive from the videos, directly or by other results."""
    waiting = [each for each in store.receipts() if _is_open(found, each)]
    known = content | {made.output_digest for made in found.receipts.values() if made.outputs}
    while reached := [
        each for each in waiting if not known.isdisjoint(each.ingredients.inputs.values())
    ]:
        found.receipts |= {each.fingerprint: each for each in reached}
        known |= {each.output_digest for each in reached if each.outputs}
        waiting = [each for each in waiting if each.fingerprint not in found.receipts]


def _is_open(found: _Found, receipt: Receipt) -> bool:
    """Say whether nothing is known yet of whose a receipt is."""
    taken = found.others_fingerprints
    return receipt.fingerprint not in taken and receipt.fingerprint not in found.receipts
