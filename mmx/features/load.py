"""Loading: clips and experts as aligned arrays, ready for training.

A store may come from anywhere. Only the files that shards.txt names are read, every row must belong
to exactly one clip, and every value be a finite number; anything else is an error that names the
file. Arrays are filled shard by shard, so that little more than they themselves is in memory.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmx.engine.files import FileRefusedError, read_regular
from mmx.engine.parquet import UNREADABLE, read_parquet
from mmx.engine.shards import count_of, shard_of
from mmx.features.digest import ShardDigest, read_shards
from mmx.features.read import FeaturesError, expert_rows
from mmx.features.schema import SHARDS_FILE

LARGEST_LIST = 1 << 26
"""Bytes of shards.txt: some hundred thousand files."""


@dataclass(frozen=True)
class ExpertView:
    """One expert's embeddings aligned with the clips of a `Features`."""

    name: str
    modality: str
    values: np.ndarray
    """float32 [clips, width], zero where absent; [vectors, width] for a sequence expert."""
    present: np.ndarray
    """bool [clips]."""
    offsets: np.ndarray | None
    """int64 [clips + 1] into `values` for a sequence expert, else None."""


@dataclass(frozen=True)
class Features:
    """A training-ready view: trailers, their clips, and every expert aligned with them."""

    trailer_ids: list[str]
    """Sorted."""
    clip_offsets: np.ndarray
    """int64 [trailers + 1]: trailer i has the clips clip_offsets[i]:clip_offsets[i + 1]."""
    start_s: np.ndarray
    """float64 [clips], seconds."""
    stop_s: np.ndarray
    """float64 [clips], seconds."""
    experts: dict[str, ExpertView]


@dataclass(frozen=True)
class _Clips:
    """All clips that are loaded, in order."""

    names: list[str]
    """Trailers with clips, sorted."""
    keys: np.ndarray
    """int64 [clips], increasing: number of the trailer << 32 | number of the clip."""
    start_s: np.ndarray
    stop_s: np.ndarray


@dataclass(frozen=True)
class _Shard:
    """Rows of one file that are wanted."""

    name: str
    """Path below the store."""
    rows: pa.Table


def load(
    store: Path,
    trailer_ids: Collection[str] | None = None,
    experts: Sequence[str] | None = None,
) -> Features:
    """Load clips and embeddings of some or all trailers, aligned, for training.

    Trailers without a single clip are left out. A clip that an expert could not embed has
    `present` False, and zeros (or, for a sequence expert, no vectors).

    Raises:
        FeaturesError: a file that shards.txt names is missing or damaged, a row belongs to no clip
            or to one that has a row already, or a value is missing or not finite.
        KeyError: the store has no such expert.
        FileNotFoundError: there is no store.
    """
    listed = _listed(store)
    wanted = None if trailer_ids is None else frozenset(trailer_ids)
    clips = _load_clips(store, listed, wanted)
    known = {row["expert"]: row for row in expert_rows(store)}
    counts = np.bincount(clips.keys >> 32, minlength=len(clips.names))
    return Features(
        trailer_ids=clips.names,
        clip_offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        start_s=clips.start_s,
        stop_s=clips.stop_s,
        experts={
            name: _load_expert(store, listed, wanted, known[name], clips)
            for name in (known if experts is None else experts)
        },
    )


def _listed(store: Path) -> dict[str, ShardDigest]:
    """Return what shards.txt says of each file."""
    try:
        return read_shards(read_regular(store / SHARDS_FILE, LARGEST_LIST).decode())
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{store} holds no feature store: make it with `dvc repro features`"
        ) from None
    except (FileRefusedError, OSError, ValueError) as error:
        raise FeaturesError(f"{store / SHARDS_FILE} cannot be read: {error}") from None


def _shards(
    store: Path,
    listed: Mapping[str, ShardDigest],
    folder: str,
    columns: Sequence[str],
    wanted: frozenset[str] | None,
) -> Iterator[_Shard]:
    """Yield the rows of wanted trailers in each file of a table, in order of the files' names."""
    names = [name for name in sorted(listed) if name.rpartition("/")[0] == folder]
    count = count_of(Path(names[0]).stem if names else "")
    only = None if wanted is None else {shard_of(name, count) for name in wanted}
    for name in names:
        if only is not None and Path(name).stem[1:] not in only:
            continue
        rows = _read(store / name, listed[name].rows, columns)
        if wanted is not None:
            rows = rows.filter(pc.is_in(rows["trailer_id"], pa.array(sorted(wanted), pa.string())))
        yield _Shard(name, rows)


def _read(path: Path, count: int, columns: Sequence[str]) -> pa.Table:
    """Return columns of a file without nulls; raise FeaturesError if that is not what it has."""
    if not path.is_file():
        raise FeaturesError(f"{path} is missing, but {SHARDS_FILE} names it")
    try:
        rows = read_parquet(path, columns)
    except UNREADABLE as error:
        raise FeaturesError(f"{path} cannot be read: {error}") from None
    if missing := [name for name in columns if name not in rows.column_names]:
        raise FeaturesError(f"{path} has no column {', '.join(missing)}")
    if len(rows) != count:
        raise FeaturesError(f"{path} has {len(rows)} rows, {SHARDS_FILE} says {count}")
    for name in columns:
        if rows[name].null_count:
            raise FeaturesError(f"{path} has a row without {name}")
    if not (pa.types.is_string(rows["trailer_id"].type) and pa.types.is_int32(rows["clip"].type)):
        raise FeaturesError(f"{path} does not have trailer_id as text and clip as int32")
    return rows


def _load_clips(
    store: Path, listed: Mapping[str, ShardDigest], wanted: frozenset[str] | None
) -> _Clips:
    """Return all clips; each trailer must have those from 0 on, each once."""
    columns = ("trailer_id", "clip", "start_s", "stop_s")
    shards = list(_shards(store, listed, "clips", columns, wanted))
    owners = [name for shard in shards for name in shard.rows["trailer_id"].to_pylist()]
    names = sorted(set(owners))
    number = {name: at for at, name in enumerate(names)}
    trailer = np.array([number[name] for name in owners], np.int64)
    clip, start_s, stop_s = (_gathered(shards, name) for name in columns[1:])
    order = np.lexsort((clip, trailer))
    trailer, clip = trailer[order], clip[order].astype(np.int64)
    first = np.searchsorted(trailer, trailer)
    if (clip != np.arange(len(clip)) - first).any():
        wrong = names[trailer[np.argmax(clip != np.arange(len(clip)) - first)]]
        raise FeaturesError(f"{store / 'clips'} does not have the clips of {wrong!r} from 0 on")
    return _Clips(names, trailer << 32 | clip, start_s[order], stop_s[order])


def _gathered(shards: Sequence[_Shard], column: str) -> np.ndarray:
    """Return a column of numbers of all shards."""
    parts = [shard.rows[column].to_numpy() for shard in shards]
    return np.concatenate(parts) if parts else np.zeros(0)


def _load_expert(
    store: Path,
    listed: Mapping[str, ShardDigest],
    wanted: frozenset[str] | None,
    about: Mapping[str, Any],
    clips: _Clips,
) -> ExpertView:
    """Return one expert's embeddings, aligned with the clips."""
    name, width = about["expert"], about["width"] or 0
    columns = ("trailer_id", "clip", "embedding")
    present = np.zeros(len(clips.keys), bool)
    lengths = np.zeros(len(clips.keys), np.int64)
    for shard in _shards(store, listed, name, columns, wanted):
        rows = _rows(store, shard, clips, present)
        present[rows] = True
        _check_type(store, shard, width, about["sequence"])
        if about["sequence"]:
            lengths[rows] = pc.list_value_length(shard.rows["embedding"]).to_numpy()
    offsets = np.concatenate([[0], np.cumsum(lengths)]) if about["sequence"] else None
    values = np.zeros((len(present) if offsets is None else offsets[-1], width), np.float32)
    for shard in _shards(store, listed, name, columns, wanted):
        rows = _rows(store, shard, clips)
        target = rows if offsets is None else _vectors_of(rows, offsets)
        values[target] = _matrix(store, shard)
    return ExpertView(name, about["modality"], values, present, offsets)


def _rows(store: Path, shard: _Shard, clips: _Clips, taken: np.ndarray | None = None) -> np.ndarray:
    """Return the number of each row's clip; each must exist, and have one row (`taken`: bool)."""
    encoded = shard.rows["trailer_id"].combine_chunks().dictionary_encode()
    number = {name: at for at, name in enumerate(clips.names)}
    trailers = np.array([number.get(name, -1) for name in encoded.dictionary.to_pylist()], np.int64)
    clip = shard.rows["clip"].to_numpy().astype(np.int64)
    keys = trailers[encoded.indices.to_numpy()] << 32 | clip if len(clip) else np.zeros(0, np.int64)
    rows = np.searchsorted(clips.keys, keys)
    known = (rows < len(clips.keys)) & (clip >= 0)
    known[known] = clips.keys[rows[known]] == keys[known]
    doubled = np.zeros(len(rows), bool)
    if taken is not None and known.all():
        order = np.argsort(rows, kind="stable")
        doubled[order[1:]] = np.diff(rows[order]) == 0
        doubled |= taken[rows]
    for wrong, what in ((~known, "the table of clips lacks"), (doubled, "has a row already")):
        if wrong.any():
            at = int(np.argmax(wrong))
            of = f"clip {clip[at]} of {shard.rows['trailer_id'][at].as_py()!r}"
            raise FeaturesError(f"{store / shard.name} has a row for {of}, which {what}")
    return rows


def _check_type(store: Path, shard: _Shard, width: int, sequence: bool) -> None:
    """Raise FeaturesError unless the embeddings are vectors of this width, or lists of them."""
    found = shard.rows["embedding"].type
    vector = found.value_type if sequence and pa.types.is_list(found) else found
    if (
        pa.types.is_list(found) != sequence
        or not pa.types.is_fixed_size_list(vector)
        or (vector.list_size, vector.value_type) != (width, pa.float32())
    ):
        expected = f"{'lists of ' if sequence else ''}{width} float32"
        raise FeaturesError(f"{store / shard.name} has embeddings of {found}, not {expected}")


def _vectors_of(rows: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the numbers of the vectors of these clips, one clip after the other."""
    counts = offsets[rows + 1] - offsets[rows]
    begins = np.repeat(offsets[rows] - (np.cumsum(counts) - counts), counts)
    numbers: np.ndarray = begins + np.arange(len(begins))
    return numbers


def _matrix(store: Path, shard: _Shard) -> np.ndarray:
    """Return the vectors of a shard as float32 [vectors, width]; all must be finite."""
    column = shard.rows["embedding"]
    if pa.types.is_list(column.type):
        column = pc.list_flatten(column)
    flat = pc.list_flatten(column)
    if column.null_count or flat.null_count:
        raise FeaturesError(f"{store / shard.name} has an embedding with a missing value")
    values = np.asarray(flat.to_numpy(), np.float32).reshape(-1, column.type.list_size)
    if not np.isfinite(values).all():
        raise FeaturesError(f"{store / shard.name} has an embedding that is not finite")
    return values
