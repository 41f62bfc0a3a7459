"""Reading: tables as Arrow, one expert's embeddings as arrays."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mmx.engine.shards import count_of, shard_of
from mmx.errors import UserError
from mmx.features.schema import EXPERTS_FILE


class FeaturesError(UserError):
    """A feature store is not what its step wrote; the message names the file."""


@dataclass(frozen=True)
class Embeddings:
    """One expert's rows as arrays, sorted by (trailer_id, clip)."""

    trailer_id: np.ndarray
    """str [rows]."""
    clip: np.ndarray
    """int32 [rows]."""
    values: np.ndarray
    """float32 [rows, width]; [vectors, width] for a sequence expert."""
    offsets: np.ndarray | None
    """int64 [rows + 1]: row i of a sequence expert has values[offsets[i]:offsets[i + 1]]."""
    fingerprint: np.ndarray
    """str [rows]."""


def read_table(
    directory: Path,
    trailer_ids: Collection[str] | None = None,
    columns: Sequence[str] | None = None,
) -> pa.Table:
    """Read a sharded table, sorted by trailer_id and clip.

    With `trailer_ids` only the shards that can hold them are opened, and only their rows kept.
    """
    if trailer_ids is None:
        return _sorted(read_columns(directory, columns))
    present = shard_paths(directory)
    count = count_of(present[0].stem)
    shards = {shard_of(name, count) for name in trailer_ids}
    paths = [path for path in present if path.stem[1:] in shards]
    if not paths:
        empty = pq.read_schema(present[0]).empty_table()
        return empty if columns is None else empty.select(columns)
    wanted = pa.array(sorted(trailer_ids), pa.string())
    keep = pc.is_in(pc.field("trailer_id"), wanted)
    return _sorted(pa.concat_tables(pq.read_table(p, columns=columns, filters=keep) for p in paths))


def shard_paths(directory: Path) -> list[Path]:
    """Every shard of a table, sorted; FileNotFoundError where there is none."""
    paths = sorted(directory.glob("[a-z][0-9a-f][0-9a-f]*.parquet"))
    if not paths:
        raise FileNotFoundError(f"{directory} holds no shards: make it with `dvc repro features`")
    return paths


def read_columns(directory: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read columns of a sharded table, in the order of the shards."""
    return pa.concat_tables(pq.read_table(path, columns=columns) for path in shard_paths(directory))


def _sorted(table: pa.Table) -> pa.Table:
    """Rows by trailer_id, then clip, as far as the table has these columns."""
    keys = [name for name in ("trailer_id", "clip") if name in table.column_names]
    return table.sort_by([(name, "ascending") for name in keys]) if keys else table


def expert_rows(store: Path) -> list[dict[str, Any]]:
    """Return the rows of experts.parquet, by name."""
    rows: list[dict[str, Any]] = pq.read_table(store / EXPERTS_FILE).to_pylist()
    return rows


def list_experts(store: Path) -> dict[str, str]:
    """Return the modality of every expert of the store, by name."""
    return {row["expert"]: row["modality"] for row in expert_rows(store)}


def read_embeddings(
    store: Path, expert: str, trailer_ids: Collection[str] | None = None
) -> Embeddings:
    """Read one expert's embeddings as arrays; KeyError for an expert that the store lacks.

    FeaturesError for a clip with two rows, or a number that is not finite.
    """
    about = next((row for row in expert_rows(store) if row["expert"] == expert), None)
    if about is None:
        raise KeyError(f"the store has no expert {expert!r}")
    if about["rows"] == 0:
        return _no_embeddings(about["width"] or 0, about["sequence"])
    table = read_table(store / expert, trailer_ids).combine_chunks()
    values, offsets = _arrays(table["embedding"])
    found = Embeddings(
        trailer_id=_strings(table["trailer_id"]),
        clip=table["clip"].to_numpy(),
        values=values,
        offsets=offsets,
        fingerprint=_strings(table["fingerprint"]),
    )
    _check(store / expert, found)
    return found


def _check(directory: Path, found: Embeddings) -> None:
    """FeaturesError for a clip with two rows, or a number that is not finite."""
    same = (found.trailer_id[1:] == found.trailer_id[:-1]) & (found.clip[1:] == found.clip[:-1])
    if same.any():
        row = int(same.argmax())
        clip = f"clip {found.clip[row]} of {found.trailer_id[row]}"
        raise FeaturesError(f"{directory}: two rows for {clip}; make it with `dvc repro features`")
    if not all(np.isfinite(part).all() for part in found.values):
        raise FeaturesError(
            f"{directory}: a number is not finite; make it with `dvc repro features`"
        )


def _no_embeddings(width: int, sequence: bool) -> Embeddings:
    """The embeddings of an expert without any rows."""
    return Embeddings(
        trailer_id=np.empty(0, np.str_),
        clip=np.empty(0, np.int32),
        values=np.empty((0, width), np.float32),
        offsets=np.zeros(1, np.int64) if sequence else None,
        fingerprint=np.empty(0, np.str_),
    )


def _strings(column: pa.ChunkedArray) -> np.ndarray:
    """A column of strings as a numpy array of strings."""
    return np.array(column.to_pylist(), dtype=np.str_)


def _arrays(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray | None]:
    """Vectors as a matrix, and the offsets of a column of sequences of vectors."""
    if pa.types.is_fixed_size_list(column.type):
        return _matrix(column.combine_chunks()), None
    lengths = pc.list_value_length(column).to_numpy()
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return _matrix(pc.list_flatten(column).combine_chunks()), offsets


def _matrix(column: pa.FixedSizeListArray | pa.ChunkedArray) -> np.ndarray:
    """A column of vectors as float32 [rows, width]."""
    flat = pc.list_flatten(column).to_numpy(zero_copy_only=False)
    return np.asarray(flat, np.float32).reshape(-1, column.type.list_size)
