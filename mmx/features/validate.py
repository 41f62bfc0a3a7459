"""Check a store for consistency; the result is a list of findings, empty for a valid store.

Needs only the store. Whether its rows agree with the videos is checked by
`mmx audit --recompute`.
"""

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mmx.engine.canonical import file_digest
from mmx.engine.errors import ReceiptError
from mmx.engine.parquet import UNREADABLE
from mmx.engine.shards import count_of, shard_of
from mmx.features.digest import digest_text, shards_text
from mmx.features.facts import StoreFacts, read_manifest
from mmx.features.receipts import receipt_of
from mmx.features.schema import (
    CARD_FILE,
    CLIPS_SCHEMA,
    CROISSANT_FILE,
    DIGEST_FILE,
    EXPERTS_FILE,
    EXPERTS_SCHEMA,
    MANIFEST_FILE,
    RECEIPTS_FILE,
    RECEIPTS_SCHEMA,
    SHARDS_FILE,
    TRAILERS_SCHEMA,
    StoreTable,
)

REQUIRED = (
    CARD_FILE,
    CROISSANT_FILE,
    DIGEST_FILE,
    EXPERTS_FILE,
    MANIFEST_FILE,
    RECEIPTS_FILE,
    SHARDS_FILE,
)
SCHEMAS = {
    "clips": CLIPS_SCHEMA,
    "experts": EXPERTS_SCHEMA,
    "receipts": RECEIPTS_SCHEMA,
    "trailers": TRAILERS_SCHEMA,
}
EMBEDDING_COLUMNS = ("trailer_id", "clip", "embedding", "samples", "padded", "fingerprint")


@dataclass(frozen=True)
class Finding:
    """One inconsistency."""

    file: str
    """Path below the store."""
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        """Return one line of text."""
        return f"{self.file}: {self.what}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True)
class Opened:
    """A store whose files exist and are readable."""

    store: Path

    @cached_property
    def facts(self) -> StoreFacts:
        """What its card should contain."""
        return StoreFacts(self.store)

    @property
    def sharded(self) -> list[StoreTable]:
        """The tables that are cut into shards."""
        return [table for table in self.facts.tables if table.letter]

    @cached_property
    def clips(self) -> set[tuple[str, int]]:
        """Every (trailer, clip) of the clip table."""
        return {pair for path in self._paths("clips") for pair in _pairs(pq.read_table(path))}

    @cached_property
    def receipts(self) -> list[dict[str, object]]:
        """Rows of receipts.parquet."""
        rows: list[dict[str, object]] = pq.read_table(self.store / RECEIPTS_FILE).to_pylist()
        return rows

    @cached_property
    def made(self) -> dict[tuple[str, str], str]:
        """Fingerprint by (step, trailer)."""
        return {
            (str(row["step"]), trailer): str(row["fingerprint"])
            for row in self.receipts
            for trailer in row["trailers"]  # type: ignore[attr-defined]
        }

    def trailers(self) -> Iterator[dict[str, object]]:
        """Rows of the trailers table."""
        for path in self._paths("trailers"):
            yield from pq.read_table(path).to_pylist()

    def name(self, path: Path) -> str:
        """A file's path below the store."""
        return self.facts.name(path)

    def text(self, name: str) -> str:
        """A text file; bytes that are not UTF-8 become replacement characters."""
        return (self.store / name).read_text(encoding="utf-8", errors="replace")

    def _paths(self, name: str) -> list[Path]:
        """Files of a table by its name."""
        return next((t.paths(self.store) for t in self.facts.tables if t.name == name), [])


def validate(store: Path) -> list[Finding]:
    """Return all inconsistencies of a store; an empty list if there are none.

    Four groups of checks, each only if the one before found nothing: required files exist; the
    Parquet files are those of the manifest, byte for byte; every table has its columns; rows,
    references, digests and descriptions agree.
    """
    opened = Opened(store)
    for depth in CHECKS:
        findings = [finding for check in depth for finding in _findings(check, opened)]
        if findings:
            return findings
    return []


def _findings(check: "Check", opened: Opened) -> Iterator[Finding]:
    """Yield what a check finds; a table that it cannot read is a finding, too."""
    try:
        yield from check(opened)
    except (*UNREADABLE, AttributeError, TypeError) as error:
        what = check.__name__.strip("_").replace("_", " ")
        yield Finding("the store", what, "readable tables", f"{type(error).__name__}: {error}")


def _regular_files(opened: Opened) -> Iterator[Finding]:
    """Find pipes and devices, whose reading might never end."""
    for path in sorted(opened.store.rglob("*")):
        if path.exists() and not (path.is_file() or path.is_dir()):
            yield Finding(opened.name(path), "file", "a file", "a pipe or a device")


def _required_files(opened: Opened) -> Iterator[Finding]:
    """Find required files that are missing."""
    for name in REQUIRED:
        if not (opened.store / name).is_file():
            yield Finding(name, "file", "present", "missing")
    if not any(opened.store.glob("trailers/t*.parquet")):
        yield Finding("trailers", "shards", "at least one", "none")


def _listed_files(opened: Opened) -> Iterator[Finding]:
    """Find Parquet files that differ from the manifest, are not listed in it, or are missing."""
    listed = read_manifest(opened.text(MANIFEST_FILE))
    present = {opened.name(path): path for path in sorted(opened.store.rglob("*.parquet"))}
    for name in sorted(listed.keys() - present.keys()):
        yield Finding(name, "file", f"present, as {MANIFEST_FILE} lists it", "missing")
    for name, path in present.items():
        found = file_digest(path)
        if name not in listed:
            yield Finding(name, "file", f"listed in {MANIFEST_FILE}", "not listed")
        elif found != listed[name]:
            yield Finding(name, "sha256", listed[name], found)


def _readable_files(opened: Opened) -> Iterator[Finding]:
    """Find files that agree with the manifest but are not Parquet."""
    for path in sorted(opened.store.rglob("*.parquet")):
        try:
            pq.read_metadata(path)
        except UNREADABLE as error:
            yield Finding(opened.name(path), "Parquet", "readable", type(error).__name__)


def _known_files(opened: Opened) -> Iterator[Finding]:
    """Find files that belong to no table."""
    tables = {path for table in opened.facts.tables for path in table.paths(opened.store)}
    known = tables | {opened.store / name for name in REQUIRED}
    for path in sorted(opened.store.rglob("*")):
        if path.is_file() and path not in known:
            yield Finding(opened.name(path), "file", "nothing", "a file that no table has")


def _expert_tables(opened: Opened) -> Iterator[Finding]:
    """Find experts whose table is missing, or has another number of rows than experts.parquet."""
    for row in opened.facts.experts:
        paths = sorted((opened.store / row["expert"]).glob("e*.parquet"))
        rows = sum(pq.read_metadata(path).num_rows for path in paths)
        if rows != row["rows"]:
            yield Finding(row["expert"], "rows", str(row["rows"]), str(rows))


def columns(opened: Opened) -> Iterator[Finding]:
    """Find tables that do not have the columns of the schema."""
    experts = {row["expert"]: row for row in opened.facts.experts}
    for table in opened.facts.tables:
        for path in table.paths(opened.store):
            schema = pq.read_schema(path).remove_metadata()
            if table.name in SCHEMAS:
                yield from _same_schema(opened.name(path), SCHEMAS[table.name], schema)
            elif table.name in experts:
                yield from _embedding_schema(opened.name(path), experts[table.name], schema)


def _same_schema(name: str, expected: pa.Schema, found: pa.Schema) -> Iterator[Finding]:
    """Compare names and types, whatever list elements are called and whether null is allowed."""
    for left, right in zip(expected, found, strict=False):
        if (left.name, left.type) != (right.name, right.type):
            yield Finding(name, "column", f"{left.name} {left.type}", f"{right.name} {right.type}")
    if len(expected) != len(found):
        yield Finding(name, "columns", str(len(expected)), str(len(found)))


def _embedding_schema(name: str, row: dict[str, object], found: pa.Schema) -> Iterator[Finding]:
    """Check the columns of an expert's table against its row in experts.parquet."""
    vector = pa.list_(pa.float32(), row["width"])
    expected = pa.list_(vector) if row["sequence"] else vector
    if tuple(found.names) != EMBEDDING_COLUMNS:
        yield Finding(name, "columns", ", ".join(EMBEDDING_COLUMNS), ", ".join(found.names))
    elif found.field("embedding").type != expected:
        yield Finding(name, "embedding", str(expected), str(found.field("embedding").type))


def order(opened: Opened) -> Iterator[Finding]:
    """Find rows that are in the wrong shard, out of order or duplicated."""
    for table in opened.sharded:
        for path in table.paths(opened.store):
            rows = pq.read_table(path, columns=_keys(path))
            keys = list(zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True))
            shard, count = path.stem[1:], count_of(path.stem)
            strays = sorted({key[0] for key in keys if shard_of(key[0], count) != shard})
            if strays:
                yield Finding(opened.name(path), "shard", shard, ", ".join(strays))
            if any(a >= b for a, b in itertools.pairwise(keys)):
                yield Finding(opened.name(path), "rows", "sorted, each once", "another order")
            if not keys:
                yield Finding(opened.name(path), "rows", "at least one", "none")


def _keys(path: Path) -> list[str]:
    """The columns that a table is sorted by."""
    return [name for name in ("trailer_id", "clip") if name in pq.read_schema(path).names]


def references(opened: Opened) -> Iterator[Finding]:
    """Find rows whose fingerprint, trailer or clip does not exist."""
    for table in opened.sharded:
        step = {"clips": "scenes", "trailers": "scenes"}.get(table.name, f"embed@{table.name}")
        for path in table.paths(opened.store):
            rows = pq.read_table(path, columns=[*_keys(path), "fingerprint"])
            yield from _fingerprints(opened, opened.name(path), step, rows)
            if table.name != "trailers":
                lost = sorted(set(_pairs(rows)) - opened.clips)
                if lost:
                    yield Finding(opened.name(path), "clip", "in the table of clips", str(lost[0]))


def _fingerprints(opened: Opened, name: str, step: str, rows: pa.Table) -> Iterator[Finding]:
    """Compare each trailer's fingerprint with the receipt of the step for that trailer."""
    pairs = zip(rows["trailer_id"].to_pylist(), rows["fingerprint"].to_pylist(), strict=True)
    for trailer, fingerprint in sorted(set(pairs)):
        expected = opened.made.get((step, trailer))
        if fingerprint != expected:
            what = f"fingerprint of {trailer}"
            yield Finding(name, what, expected or f"a receipt of {step}", str(fingerprint))


def counts(opened: Opened) -> Iterator[Finding]:
    """Find trailers with another number of clips than their row in the table of trailers."""
    found = Counter(trailer for trailer, _ in opened.clips)
    known = set()
    for row in opened.trailers():
        name = str(row["trailer_id"])
        known.add(name)
        if row["n_clips"] != found[name]:
            yield Finding("clips", f"clips of {name}", str(row["n_clips"]), str(found[name]))
    for name in sorted(found.keys() - known):
        yield Finding("trailers", f"row of {name}", "present", "missing")


def values(opened: Opened) -> Iterator[Finding]:
    """Find embeddings that are null or not finite."""
    experts = {row["expert"] for row in opened.facts.experts}
    for table in opened.sharded:
        for path in table.paths(opened.store) if table.name in experts else []:
            column = pq.read_table(path, columns=["embedding"])["embedding"]
            while pa.types.is_nested(column.type):
                nulls, column = column.null_count, pc.list_flatten(column)
                if nulls:
                    yield Finding(opened.name(path), "embedding", "a vector", "null")
            if not pc.all(pc.is_finite(column), min_count=0).as_py():
                yield Finding(opened.name(path), "embedding", "finite numbers", "NaN or infinity")


def valid_receipts(opened: Opened) -> Iterator[Finding]:
    """Find receipts whose fingerprint or output digest does not match their content."""
    for row in opened.receipts:
        try:
            digest = receipt_of(row).output_digest
        except (ReceiptError, ValueError) as error:
            yield Finding(RECEIPTS_FILE, f"receipt {row['fingerprint']}", "valid", str(error))
            continue
        if digest != row["output_digest"]:
            what = f"output digest of {row['fingerprint']}"
            yield Finding(RECEIPTS_FILE, what, digest, str(row["output_digest"]))


def descriptions(opened: Opened) -> Iterator[Finding]:
    """Find digests and descriptions that do not match the tables."""
    facts = opened.facts
    yield from _same_lines(opened, SHARDS_FILE, shards_text(facts.shards))
    yield from _same_lines(opened, DIGEST_FILE, digest_text(facts.digests.values()))
    for name in (CARD_FILE, CROISSANT_FILE):
        if facts.root not in opened.text(name):
            yield Finding(name, "root digest", facts.root, "another or none")
    expected = ", ".join(sorted({table.name for table in facts.tables} | {MANIFEST_FILE}))
    found = _described_files(opened)
    if found != expected:
        yield Finding(CROISSANT_FILE, "distribution", expected, found)


def _described_files(opened: Opened) -> str:
    """Names of what croissant.json describes, joined; a text if it is not a Croissant file."""
    try:
        listed = json.loads(opened.text(CROISSANT_FILE))["distribution"]
        return ", ".join(sorted(entry["@id"] for entry in listed))
    except (ValueError, KeyError, TypeError):
        return "no JSON-LD with a distribution"


def _same_lines(opened: Opened, name: str, expected: str) -> Iterator[Finding]:
    """Compare a text file line by line."""
    wanted = set(expected.splitlines())
    found = set(opened.text(name).splitlines())
    for line in sorted(wanted - found):
        yield Finding(name, "line", line, "missing")
    for line in sorted(found - wanted):
        yield Finding(name, "line", "nothing", line)


def _pairs(table: pa.Table) -> list[tuple[str, int]]:
    """(trailer, clip) of every row."""
    return list(zip(table["trailer_id"].to_pylist(), table["clip"].to_pylist(), strict=True))


Check = Callable[[Opened], Iterator[Finding]]
CHECKS: tuple[tuple[Check, ...], ...] = (
    (_regular_files, _required_files),
    (_listed_files, _readable_files),
    (_known_files, _expert_tables, columns),
    (order, references, counts, values, valid_receipts, descriptions),
)
