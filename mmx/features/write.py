"""Build the store from the outputs of the earlier steps, with the files that describe it."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mmx.engine.atomic import link_or_copy
from mmx.engine.parquet import read_parquet, write_parquet, write_parts
from mmx.engine.receipt import gc_disabled
from mmx.engine.shards import shard_count, shard_of
from mmx.features.describe import describe
from mmx.features.digest import ShardDigest
from mmx.features.read import read_columns
from mmx.features.receipts import step_receipts
from mmx.features.schema import (
    CLIPS_TABLE,
    EXPERTS_FILE,
    EXPERTS_SCHEMA,
    RECEIPTS_FILE,
    RECEIPTS_SCHEMA,
    RESERVED,
    TRAILERS_SCHEMA,
    TRAILERS_TABLE,
    StoreTable,
    expert_table,
)
from mmx.outputs import read_shard, receipt_files


@dataclass(frozen=True)
class ExpertSource:
    """Where an expert's embeddings are, and facts about the expert."""

    name: str
    modality: str
    directory: Path
    """Shards eXX.parquet and `_receipts`, as the embed step writes them."""
    claimed_width: int | None = None
    """Width that the paper gives; the actual one is read from the shards."""


@gc_disabled()
def build_store(
    out: Path,
    *,
    sources: Path,
    clips: Path,
    experts: Sequence[ExpertSource],
    upstream: Iterable[Path] = (),
    known: Mapping[str, ShardDigest] | None = None,
) -> str:
    """Build the feature store in the empty directory `out` and return its root digest.

    sources: data/sources.parquet. clips: the scenes step's directory. upstream: output directories
    of the steps between a video and an embedding (audio, flow), for their receipts. Only the given
    experts are used, whatever other folders there are. Shards are hardlinked if possible.
    known: digests of rows that need not be computed, by the sha256 of their Parquet file.
    Equal input gives equal bytes. Raise ValueError for an expert named like one of the tables.
    """
    for expert in experts:
        if expert.name in RESERVED:
            raise ValueError(f"an expert cannot be called {expert.name!r}: a table has that name")
    _link_table(CLIPS_TABLE, clips, out)
    for expert in experts:
        _link_table(expert_table(expert.name), expert.directory, out)
    _write_receipts([clips, *(expert.directory for expert in experts), *upstream], out)
    write_trailers(out, sources, clips)
    rows = sorted((_expert_row(expert, out) for expert in experts), key=lambda row: row["expert"])
    write_parquet(pa.Table.from_pylist(rows, EXPERTS_SCHEMA), out / EXPERTS_FILE)
    return describe(out, known)


def _write_receipts(directories: Sequence[Path], out: Path) -> None:
    """Write the receipts of all steps, sorted by step, those of one step in memory at a time."""
    steps = sorted((_step_in(directory), directory) for directory in directories)
    tables = (step_receipts(directory) for name, directory in steps if name)
    write_parts(tables, RECEIPTS_SCHEMA, out / RECEIPTS_FILE)


def _step_in(directory: Path) -> str:
    """Return the step that made an output directory; empty where nothing was made."""
    made = (read_shard(path, verify=False) for path in receipt_files(directory))
    return next((each.ingredients.step for shard in made for each in shard.values()), "")


def _receipts_of(directory: Path, out: Path, columns: Sequence[str]) -> pa.Table:
    """Return columns of the written rows of receipts.parquet that belong to an output directory."""
    table = read_parquet(out / RECEIPTS_FILE, ["step", *columns])
    return table.filter(pc.equal(table["step"], _step_in(directory)))


def _link_table(table: StoreTable, directory: Path, out: Path) -> None:
    """Link every shard of `table` in `directory` that has rows into `out`.

    Shards without rows (no trailer has sound) are left out: some readers cannot open them.
    """
    for source in _shards_of(table, directory):
        if pq.read_metadata(source).num_rows:
            link_or_copy(source, out / table.name / source.name)


def _shards_of(table: StoreTable, directory: Path) -> list[Path]:
    """Return the shards in a step's output directory, sorted."""
    return sorted(directory.glob(f"{table.letter}*.parquet"))


def write_trailers(out: Path, sources: Path, clips: Path) -> None:
    """Write trailers/tXX.parquet: facts about each accepted video, and its number of clips."""
    counts: Counter[str] = Counter()
    if CLIPS_TABLE.paths(out):
        counts.update(read_columns(out / "clips", ["trailer_id"])["trailer_id"].to_pylist())
    table = pq.read_table(sources).rename_columns({"sha256": "video_sha256"})
    ids = table["trailer_id"].to_pylist()
    receipts = _receipts_of(clips, out, ["trailers", "fingerprint"]).to_pylist()
    made = {name: row["fingerprint"] for row in receipts for name in row["trailers"]}
    table = table.append_column("n_clips", pa.array([counts[name] for name in ids], pa.int32()))
    table = table.append_column("fingerprint", pa.array(map(made.get, ids), pa.string()))
    table = table.select(TRAILERS_SCHEMA.names).cast(TRAILERS_SCHEMA).sort_by("trailer_id")
    count = shard_count(len(table))
    shards = pa.array([shard_of(name, count) for name in table["trailer_id"].to_pylist()])
    for shard in sorted(pc.unique(shards).to_pylist()):
        path = out / TRAILERS_TABLE.name / f"{TRAILERS_TABLE.letter}{shard}.parquet"
        write_parquet(table.filter(pc.equal(shards, shard)), path)


def _expert_row(expert: ExpertSource, out: Path) -> dict[str, Any]:
    """Return the row of experts.parquet; an expert that failed on every trailer has no width."""
    texts = pc.unique(_receipts_of(expert.directory, out, ["weights"])["weights"]).to_pylist()
    weights = {weight["sha256"]: weight for text in sorted(texts) for weight in json.loads(text)}
    ordered = [weights[sha256] for sha256 in sorted(weights)]
    return {
        "expert": expert.name,
        "modality": expert.modality,
        "claimed_width": expert.claimed_width,
        **shape(_shards_of(expert_table(expert.name), expert.directory)),
        "weights_sha256": [weight["sha256"] for weight in ordered],
        "weights_source": [weight["source"] for weight in ordered],
        "weights_licence": [weight["licence"] for weight in ordered],
    }


def shape(paths: list[Path]) -> dict[str, Any]:
    """Return width, kind and counts of a table of embeddings, from all its shards."""
    if not paths:
        return {"width": None, "sequence": False, "trailers": 0, "rows": 0}
    kind = pq.read_schema(paths[0]).field("embedding").type
    sequence = not pa.types.is_fixed_size_list(kind)
    width = (kind.value_type if sequence else kind).list_size
    names = [pq.read_table(path, columns=["trailer_id"])["trailer_id"] for path in paths]
    trailers = sum(len(pc.unique(column)) for column in names)
    return {
        "width": width,
        "sequence": sequence,
        "trailers": trailers,
        "rows": sum(map(len, names)),
    }
