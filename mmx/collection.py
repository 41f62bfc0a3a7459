"""A project's collection: what of the manifest is accepted, who takes part, in which split."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from mmx.dvc_state.cache import cached_file
from mmx.dvc_state.lock import read_lock
from mmx.engine.parquet import read_parquet, write_parquet
from mmx.outputs import ITEM
from mmx.project import Project
from mmx.steps import CLIPS
from mmx.trailers import Ingested, ingest
from mmx.trailers.splits import assign


class SplitLostError(Exception):
    """dvc.lock knows of a split that is nowhere to be found."""


def ingest_collection(project: Project) -> Ingested:
    """Check the manifest and the videos as they are by now; unchanged videos are not read again.

    Raise IngestError, TableError.
    """
    cache = project.store.root / "inspections.json"
    params = project.params.collection
    return ingest(project.layout, params, cache=cache, workers=project.workers)


def split_collection(project: Project) -> None:
    """Write splits.parquet: trailers with at least `split.min_clips` clips, earlier places kept."""
    layout, params = project.layout, project.params.split
    clips = count_clips(CLIPS.shard_paths(layout.root))
    columns = ["trailer_id", "group_id", "genres", "status"]
    rows = read_parquet(layout.trailers, columns).to_pylist()
    members = {
        row["trailer_id"]: row
        for row in rows
        if row["status"] == "accepted" and clips[row["trailer_id"]] >= params.min_clips
    }
    table = assign(
        {name: row["group_id"] for name, row in members.items()},
        {name: row["genres"] for name, row in members.items()},
        params,
        earlier_split(project),
    )
    write_parquet(table, layout.splits)
    counts = Counter(table["split"].to_pylist())
    left_out = sum(row["status"] == "accepted" for row in rows) - len(table)
    print(f"split: {dict(sorted(counts.items()))}, {left_out} with too few clips left out")


def count_clips(shards: Iterable[Path]) -> Counter[str]:
    """Return the number of clips by trailer in the table that the scenes step left."""
    counts: Counter[str] = Counter()
    for path in shards:
        counts.update(read_parquet(path, [ITEM])[ITEM].to_pylist())
    return counts


def earlier_split(project: Project) -> pa.Table | None:
    """Return the split as it was: from the workspace, else from DVC's cache, else there is none.

    Raise SplitLostError where dvc.lock names one that cannot be had: a new one would move test
    trailers into training.
    """
    layout = project.layout
    if layout.splits.exists():
        return read_parquet(layout.splits)
    out = layout.splits.relative_to(layout.root).as_posix()
    if out not in read_lock(layout.root).outs:
        return None
    cached = cached_file(layout.root, out)
    if cached is None:
        raise SplitLostError(
            f"{out} is in dvc.lock but neither here nor in DVC's cache: `dvc pull {out}`, or take "
            "the stage split out of dvc.lock to draw a new split"
        )
    return read_parquet(cached)
