"""Facts about a store, derived from its tables: digests, manifest, schemas."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mmx.engine.canonical import file_digest
from mmx.features.columns import meaning_of
from mmx.features.digest import (
    ShardDigest,
    TableDigest,
    root_digest,
    shard_digest,
    table_digest,
)
from mmx.features.schema import (
    CLIPS_TABLE,
    EXPERTS_FILE,
    EXPERTS_TABLE,
    RECEIPTS_TABLE,
    TRAILERS_TABLE,
    StoreTable,
    expert_table,
)


@dataclass(frozen=True)
class StoreFacts:
    """The facts that the card and the Croissant file of a store contain."""

    store: Path
    known: Mapping[str, ShardDigest] | None = None
    """Digests of rows by the sha256 of the Parquet file, as `known_shards` gives them."""

    @cached_property
    def experts(self) -> list[dict[str, Any]]:
        """Rows of experts.parquet, by name."""
        rows: list[dict[str, Any]] = pq.read_table(self.store / EXPERTS_FILE).to_pylist()
        return rows

    @cached_property
    def tables(self) -> list[StoreTable]:
        """Every table that has a file, sorted by name."""
        fixed = [CLIPS_TABLE, TRAILERS_TABLE, EXPERTS_TABLE, RECEIPTS_TABLE]
        everything = fixed + [expert_table(row["expert"]) for row in self.experts]
        present = [table for table in everything if table.paths(self.store)]
        return sorted(present, key=lambda table: table.name)

    @cached_property
    def paths(self) -> list[Path]:
        """Every Parquet file of the tables."""
        return [path for table in self.tables for path in table.paths(self.store)]

    @cached_property
    def digests(self) -> dict[str, TableDigest]:
        """Digest of every table, by name."""
        return {
            table.name: table_digest(
                table.name,
                self.schema(table).names,
                [self.shards[self.name(path)] for path in table.paths(self.store)],
            )
            for table in self.tables
        }

    @cached_property
    def shards(self) -> dict[str, ShardDigest]:
        """Digest of the rows of every Parquet file, by its path below the store."""
        return {self.name(path): self._known(path) or shard_digest(path) for path in self.paths}

    def _known(self, path: Path) -> ShardDigest | None:
        """Digest of a file's rows if an earlier store had the same file."""
        return self.known.get(self.manifest[self.name(path)]) if self.known else None

    @property
    def root(self) -> str:
        """The root digest, hexadecimal."""
        return root_digest(self.digests.values())

    @cached_property
    def manifest(self) -> dict[str, str]:
        """sha256 of every Parquet file, by its path below the store."""
        return {self.name(path): file_digest(path) for path in self.paths}

    def meaning(self, table: str, column: str) -> str:
        """Return the meaning of a column."""
        return meaning_of(column)

    def name(self, path: Path) -> str:
        """A file's path below the store."""
        return path.relative_to(self.store).as_posix()

    def schema(self, table: StoreTable) -> pa.Schema:
        """The columns of a table."""
        return pq.read_schema(table.paths(self.store)[0])


def manifest_text(digests: dict[str, str]) -> str:
    """Return the content of manifest.sha256, in the format of `sha256sum`."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def read_manifest(text: str) -> dict[str, str]:
    """Return sha256 by path from the text of `manifest_text`."""
    lines = (line.partition("  ") for line in text.splitlines())
    return {name: digest for digest, _, name in lines}
