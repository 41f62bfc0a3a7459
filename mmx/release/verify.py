"""Check a release by itself: for somebody who has nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from mmx.engine.canonical import file_digest
from mmx.engine.parquet import UNREADABLE, read_parquet
from mmx.features.digest import digest_text, shards_text
from mmx.features.facts import read_manifest
from mmx.features.schema import CARD_FILE, CROISSANT_FILE, DIGEST_FILE, MANIFEST_FILE, SHARDS_FILE
from mmx.release.about import ABOUT_FILE
from mmx.release.describe import ReleaseFacts
from mmx.release.tables import ITEM, JOINED

REQUIRED = (ABOUT_FILE, CARD_FILE, CROISSANT_FILE, DIGEST_FILE, MANIFEST_FILE, SHARDS_FILE)


def verify_release(folder: Path) -> list[str]:
    """Return a sentence for each thing that is wrong with a release; none for an intact one.

    Raise ReleaseError for a folder that is not a release.
    """
    facts = ReleaseFacts(folder)
    version = facts.about.version
    missing = [f"{name} is missing" for name in REQUIRED if not (folder / name).exists()]
    if missing or not version:
        return missing
    damaged = list(_damaged(folder))
    return damaged or [*_rows(facts), *_descriptions(facts)]


def _damaged(folder: Path) -> Iterator[str]:
    """Yield tables that are not what the manifest says, that are missing, or that it lacks."""
    listed = read_manifest((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.parquet")}
    for name in sorted(listed.keys() | there.keys()):
        if name not in listed:
            yield f"{name} is not in {MANIFEST_FILE}"
        elif name not in there:
            yield f"{name} is missing"
        elif file_digest(there[name]) != listed[name]:
            yield f"{name} has other bytes than {MANIFEST_FILE} says"


def _descriptions(facts: ReleaseFacts) -> Iterator[str]:
    """Yield descriptions that are not those of the tables."""
    expected = {
        SHARDS_FILE: shards_text(facts.shards),
        DIGEST_FILE: digest_text(facts.digests.values()),
    }
    for name, text in expected.items():
        if (facts.store / name).read_text(encoding="utf-8") != text:
            yield f"{name} is not that of the tables"
    for name in (CARD_FILE, CROISSANT_FILE):
        if facts.root not in (facts.store / name).read_text(encoding="utf-8"):
            yield f"{name} does not have the root digest {facts.root}"


def _rows(facts: ReleaseFacts) -> Iterator[str]:
    """Yield tables that do not fit each other: trailers, splits, receipts."""
    try:
        splits = _splits(facts.store / JOINED)
        known = set(pq.read_table(facts.store / "receipts.parquet")["fingerprint"].to_pylist())
        for table in facts.tables:
            for path in table.paths(facts.store) if table.letter else ():
                yield from _row_faults(path, facts.name(path), splits, known)
    except UNREADABLE as error:
        yield f"a table cannot be read: {error}"


def _splits(folder: Path) -> dict[str, str]:
    """Return the split of every trailer, by the folder that it is in."""
    return {
        trailer: path.parent.name
        for path in sorted(folder.glob("*/*.parquet"))
        for trailer in read_parquet(path, [ITEM])[ITEM].to_pylist()
    }


def _row_faults(path: Path, name: str, splits: dict[str, str], known: set[str]) -> Iterator[str]:
    columns = pq.read_schema(path).names
    trailers = set(read_parquet(path, [ITEM])[ITEM].to_pylist())
    strangers = sorted(each for each in trailers if splits.get(each) != path.parent.name)
    if strangers:
        yield f"{name} has {strangers[0]!r}, which is not in that split of {JOINED}"
    if "fingerprint" in columns:
        marks = set(read_parquet(path, ["fingerprint"])["fingerprint"].to_pylist()) - {None}
        if marks - known:
            yield f"{name} has fingerprints that receipts.parquet lacks"
