"""Find an output of a project that cannot be read: a possible cause of an unexpected error.

Readers of outputs assume that they are as their steps wrote them. If a reader fails, this looks for
the damaged file; `mmx verify` checks more and takes longer.
"""

import json
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError

from mmx.engine.errors import ReceiptError
from mmx.engine.parquet import UNREADABLE, read_parquet, refuse_pipe
from mmx.layout import Layout
from mmx.outputs import ITEM, is_receipts, read_shard

DAMAGED = (*UNREADABLE, ReceiptError, AttributeError, TypeError, RuntimeError, SafetensorError)
"""What reading a damaged or replaced output raises. JSON of another shape is a TypeError or an
AttributeError, weights of another shape are a RuntimeError."""
_SPLITS = ("train", "validation", "test")
_SPLIT = [ITEM, "group_id", "split"]
_LISTS = ("genres", "coarse", "fine", "embedding")
"""Columns of lists among those that are checked; the others are text."""
READ_WHOLE = 1 << 24
"""Bytes up to which all rows of a table are read; of a larger table only some columns are."""


def damaged_output(root: Path) -> str:
    """Return the first output of the project in `root` that cannot be read, or an empty string."""
    layout = Layout(root.resolve())
    for path, check in checks(layout):
        try:
            check(path)
        except DAMAGED:
            return path.relative_to(layout.root).as_posix()
    return ""


def checks(layout: Layout) -> Iterator[tuple[Path, Callable[[Path], object]]]:
    """Yield each existing output with a function that reads it and raises if it cannot."""
    # Only columns that every version of mmx wrote: an older table is not damaged.
    tables = {
        layout.sources: [ITEM, "video", "sha256"],
        layout.trailers: [ITEM, "group_id", "genres", "status"],
        layout.trailer_embeddings: [ITEM, "coarse", "fine"],
        layout.predictions: [ITEM, "model", "genre"],
        layout.clip_predictions: [ITEM, "model", "genre"],
        layout.sequence_predictions: [ITEM, "model", "genre"],
    }
    for path in sorted(layout.data.rglob("*.parquet")):
        if path == layout.splits:
            yield path, _check_split
        else:
            yield path, lambda path: _check_table(path, tables.get(path) or _shard_columns(path))
    for folder in (layout.data, layout.root / "models", layout.reports):
        for path in sorted(folder.rglob("*.jsonl")):
            if is_receipts(f"{path.parent.name}/{path.name}"):
                yield path, read_shard
    for path in sorted(layout.reports.rglob("*.json")):
        yield path, lambda path: json.loads(path.read_bytes())
    for model in (layout.coarse, layout.fine):
        if model.exists():
            yield model, _check_model


def _shard_columns(path: Path) -> list[str]:
    """Return the columns that a shard must have: of embeddings where its name says so."""
    return [ITEM, "embedding"] if fnmatch(path.name, "e[0-9a-f][0-9a-f]*.parquet") else []


def _check_table(path: Path, columns: list[str]) -> None:
    """Check that a table has these columns, each once and with values; read it if it is small."""
    refuse_pipe(path)
    with pq.ParquetFile(path) as table:
        names = table.schema_arrow.names
        wrong = set(columns) - set(names) or {name for name in names if names.count(name) > 1}
        if wrong:
            raise KeyError(*wrong)
        needed = columns or [name for name in names if name == ITEM]
        if not all(_is_kind(table.schema_arrow.field(name)) for name in needed):
            raise TypeError("a column is of another type")
        rows = table.read(None if path.stat().st_size <= READ_WHOLE else needed)
        if any(rows[name].null_count for name in needed):
            raise ValueError("a value is missing")


def _is_kind(field: pa.Field) -> bool:
    """Say whether a column is of the type that every version of mmx wrote."""
    if field.name in _LISTS:
        return bool(pa.types.is_list(field.type) or pa.types.is_fixed_size_list(field.type))
    return bool(pa.types.is_string(field.type))


def _check_split(path: Path) -> None:
    """Check that a table is a split."""
    _check_table(path, _SPLIT)
    rows = read_parquet(path)
    if rows.schema.names != _SPLIT or not {*rows["split"].to_pylist()} <= {*_SPLITS}:
        raise ValueError("it is not a split")


def _check_model(folder: Path) -> None:
    """Load a model."""
    # Imported here: torch takes seconds to load.
    from mmx.training.load import load_network

    load_network(folder)
