"""State again what a store says of itself, after rows were taken out of it."""

from collections.abc import Container
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mmx.engine.parquet import write_parquet
from mmx.features.describe import describe
from mmx.features.digest import read_shards
from mmx.features.facts import read_manifest
from mmx.features.schema import (
    CARD_FILE,
    CROISSANT_FILE,
    DIGEST_FILE,
    EXPERTS_FILE,
    EXPERTS_SCHEMA,
    MANIFEST_FILE,
    SHARDS_FILE,
)
from mmx.features.write import shape

STATED = (CARD_FILE, CROISSANT_FILE, DIGEST_FILE, MANIFEST_FILE, SHARDS_FILE, EXPERTS_FILE)


def is_store(names: Container[str]) -> bool:
    """Say whether a folder with these files is a feature store."""
    return all(name in names for name in (EXPERTS_FILE, MANIFEST_FILE, SHARDS_FILE))


def restate(store: Path) -> list[str]:
    """Write a store's counts and descriptions as its tables are now; return the names of the files.

    Digests of files that did not change are not computed again.
    """
    digests = read_shards((store / SHARDS_FILE).read_text(encoding="utf-8"))
    sha256 = read_manifest((store / MANIFEST_FILE).read_text(encoding="utf-8"))
    known = {sha256[name]: digest for name, digest in digests.items()}
    count_again(store)
    for name in STATED:
        if name != EXPERTS_FILE:
            # They may be hard links to other versions.
            (store / name).unlink()
    describe(store, known)
    return list(STATED)


def count_again(store: Path) -> None:
    """Write experts.parquet with the numbers of trailers and rows that there are."""
    rows = pq.read_table(store / EXPERTS_FILE).to_pylist()
    for row in rows:
        counted = shape(sorted((store / row["expert"]).rglob("*.parquet")))
        row |= {name: counted[name] for name in ("trailers", "rows")}
    write_parquet(pa.Table.from_pylist(rows, EXPERTS_SCHEMA), store / EXPERTS_FILE)
