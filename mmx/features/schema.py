"""The feature store: its files, its columns, and how its tables are cut into shards.

    data/features/
    ├── README.md            always      dataset card; its YAML head is what hubs read
    ├── croissant.json       always      the same for machines: files, columns, provenance
    ├── digest.txt           always      one digest per table, and the root digest over all
    ├── manifest.sha256      always      sha256 of every Parquet file, for `sha256sum -c`
    ├── shards.txt           always      number and digest of the rows of every Parquet file
    ├── experts.parquet      always      one row per expert: modality, width, weights, licence
    ├── receipts.parquet     always      one row per fingerprint: what determined those rows
    ├── trailers/tXX.parquet always      one row per accepted trailer: technical facts
    ├── clips/cXX.parquet    always      one row per clip
    └── <expert>/eXX.parquet per expert  one row per clip that the expert could embed

XX is the shard: the first six bits of sha256(trailer_id) as two hexadecimal digits, 00 to 3f. Above
12,288 trailers there are more shards, about 128 trailers each, and a name such as 00ab-256 says how
many. A shard without rows has no file. Rows are sorted by trailer_id, then clip. `fingerprint`, the
last column, leads to the row of receipts.parquet that tells how the row was made.
"""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

CARD_FILE = "README.md"
CROISSANT_FILE = "croissant.json"
DIGEST_FILE = "digest.txt"
MANIFEST_FILE = "manifest.sha256"
EXPERTS_FILE = "experts.parquet"
RECEIPTS_FILE = "receipts.parquet"
SHARDS_FILE = "shards.txt"

RESERVED = frozenset({"trailers", "clips", "labels", "splits", "experts", "receipts", "_receipts"})
"""Names that no expert may have: they are tables of the store already."""

TRAILERS_SCHEMA = pa.schema(
    [
        pa.field("trailer_id", pa.string(), nullable=False),
        pa.field("video_sha256", pa.string()),
        pa.field("video_digest", pa.string()),
        pa.field("sound_digest", pa.string()),
        pa.field("duration_s", pa.float64()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("fps", pa.float64()),
        pa.field("frames", pa.int64()),
        pa.field("has_audio", pa.bool_()),
        pa.field("n_clips", pa.int32(), nullable=False),
        pa.field("fingerprint", pa.string()),
    ]
)

CLIPS_SCHEMA = pa.schema(
    [
        ("trailer_id", pa.string()),
        ("clip", pa.int32()),
        ("start", pa.int64()),
        ("stop", pa.int64()),
        ("start_s", pa.float64()),
        ("stop_s", pa.float64()),
        ("cut_score", pa.float64()),
        ("fingerprint", pa.string()),
    ]
)

EXPERTS_SCHEMA = pa.schema(
    [
        ("expert", pa.string()),
        ("modality", pa.string()),
        ("width", pa.int32()),
        ("claimed_width", pa.int32()),
        ("sequence", pa.bool_()),
        ("trailers", pa.int64()),
        ("rows", pa.int64()),
        ("weights_sha256", pa.list_(pa.string())),
        ("weights_source", pa.list_(pa.string())),
        ("weights_licence", pa.list_(pa.string())),
    ]
)

RECEIPTS_SCHEMA = pa.schema(
    [
        ("fingerprint", pa.string()),
        ("step", pa.string()),
        ("schema", pa.int64()),
        ("trailers", pa.list_(pa.string())),
        ("inputs", pa.string()),
        ("parameters", pa.string()),
        ("code", pa.string()),
        ("weights", pa.string()),
        ("tools", pa.string()),
        ("outputs", pa.string()),
        ("output_digest", pa.string()),
        ("facts", pa.string()),
        ("fault", pa.string()),
        ("adopted", pa.string()),
    ]
)


@dataclass(frozen=True)
class StoreTable:
    """One table of the store or of a release."""

    name: str
    """Name in the card, in digest.txt and in croissant.json."""
    files: str
    """Glob below the store: one file, or shards."""

    @property
    def letter(self) -> str:
        """First letter of the shards' names; empty for a table in one file."""
        folder, _, pattern = self.files.rpartition("/")
        return pattern[0] if folder else ""

    def paths(self, store: Path) -> list[Path]:
        """Return the files that the table has below `store`, sorted."""
        return sorted(store.glob(self.files))


TRAILERS_TABLE = StoreTable("trailers", "trailers/t*.parquet")
CLIPS_TABLE = StoreTable("clips", "clips/c*.parquet")
EXPERTS_TABLE = StoreTable("experts", EXPERTS_FILE)
RECEIPTS_TABLE = StoreTable("receipts", RECEIPTS_FILE)


def expert_table(expert: str) -> StoreTable:
    """Return the table of embeddings of `expert`."""
    return StoreTable(expert, f"{expert}/e*.parquet")
