"""Which output of a project cannot be read: what an error that nobody expected may come from.

Readers of outputs take them to be what their steps wrote. Where one of them fails, this looks for
the file that is to blame; `mmx verify` proves more, and takes longer.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq

from mmx.layout import Layout
from mmx.outputs import ITEM, is_receipts, read_shard

READ_WHOLE = 1 << 24
"""Bytes of a table up to which its rows are read too; of a larger one, columns and places only."""


def damaged_output(root: Path) -> str:
    """Return the first output of the project in `root` that cannot be read, or nothing."""
    layout = Layout(root.resolve())
    for path, check in checks(layout):
        try:
            check(path)
        # Whatever a library raises over such a file.
        except Exception:
            return path.relative_to(layout.root).as_posix()
    return ""


def checks(layout: Layout) -> Iterator[tuple[Path, Callable[[Path], object]]]:
    """Yield what there is of the project's outputs, and what reads each of them or raises."""
    # The columns that every version had: an older table is not a damaged one.
    tables = {
        layout.sources: [ITEM, "video", "sha256"],
        layout.trailers: [ITEM, "genres", "status"],
        layout.splits: [ITEM, "split"],
        layout.trailer_embeddings: [ITEM, "coarse", "fine"],
    }
    for path in sorted(layout.data.rglob("*.parquet")):
        yield path, lambda path: check_table(path, tables.get(path, []))
    for folder in (layout.data, layout.root / "models", layout.reports):
        for path in sorted(folder.rglob("*.jsonl")):
            if is_receipts(f"{path.parent.name}/{path.name}"):
                yield path, read_shard
    for path in sorted(layout.reports.rglob("*.json")):
        yield path, lambda path: json.loads(path.read_bytes())
    for model in (layout.coarse, layout.fine):
        if model.exists():
            yield model, check_model


def check_table(path: Path, columns: list[str]) -> None:
    """Open a table and read these columns of it; all that it has where it is small."""
    with pq.ParquetFile(path) as table:
        missing = set(columns) - set(table.schema_arrow.names)
        if missing:
            raise KeyError(*missing)
        if path.stat().st_size <= READ_WHOLE:
            table.read()


def check_model(folder: Path) -> None:
    """Load a model."""
    # Imported here: torch takes seconds to load.
    from mmx.training.load import load_network

    load_network(folder)
