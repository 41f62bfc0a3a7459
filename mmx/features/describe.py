"""What is said about a store, derived from its tables: digests, manifest, card, Croissant."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mmx.features.digest import TableDigest, digest_text, root_digest, table_digest
from mmx.features.schema import (
    CARD,
    CLIPS_TABLE,
    CROISSANT,
    DIGEST,
    EXPERTS,
    EXPERTS_TABLE,
    LABELS_TABLE,
    MANIFEST,
    RECEIPTS_TABLE,
    SPLITS_TABLE,
    TRAILERS_TABLE,
    Table,
    expert_table,
)
from mmx.items.canonical import file_digest


@dataclass(frozen=True)
class Description:
    """The facts about a store that its card and its Croissant file tell."""

    store: Path

    @cached_property
    def experts(self) -> list[dict[str, Any]]:
        """Rows of experts.parquet, by name."""
        return pq.read_table(self.store / EXPERTS).to_pylist()

    @cached_property
    def tables(self) -> list[Table]:
        """Every table that has a file, sorted by name; labels only in a publication."""
        fixed = [CLIPS_TABLE, TRAILERS_TABLE, EXPERTS_TABLE, RECEIPTS_TABLE]
        fixed += [LABELS_TABLE, SPLITS_TABLE]
        everything = fixed + [expert_table(row["expert"]) for row in self.experts]
        present = [table for table in everything if table.paths(self.store)]
        return sorted(present, key=lambda table: table.name)

    @cached_property
    def digests(self) -> dict[str, TableDigest]:
        """Digest of every table, by name."""
        return {table.name: table_digest(table, self.store) for table in self.tables}

    @property
    def root(self) -> str:
        """The root digest, hexadecimal."""
        return root_digest(self.digests.values())

    @cached_property
    def manifest(self) -> dict[str, str]:
        """sha256 of every Parquet file, by its path below the store."""
        paths = [path for table in self.tables for path in table.paths(self.store)]
        return {path.relative_to(self.store).as_posix(): file_digest(path) for path in paths}

    def schema(self, table: Table) -> pa.Schema:
        """The columns of a table."""
        return pq.read_schema(table.paths(self.store)[0])


def describe(store: Path) -> str:
    """Write digest.txt, manifest.sha256, README.md and croissant.json; return the root digest."""
    # Croissant's library takes seconds to import, and readers of the store do not need it.
    from mmx.features.card import card_text
    from mmx.features.croissant import croissant_text

    facts = Description(store)
    (store / DIGEST).write_text(digest_text(facts.digests.values()), encoding="utf-8")
    (store / MANIFEST).write_text(manifest_text(facts.manifest), encoding="utf-8")
    (store / CARD).write_text(card_text(facts), encoding="utf-8")
    (store / CROISSANT).write_text(croissant_text(facts), encoding="utf-8")
    return facts.root


def manifest_text(digests: dict[str, str]) -> str:
    """Return the content of manifest.sha256, in the format of `sha256sum`."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
