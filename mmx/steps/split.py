"""split: train, validation, test; a trailer keeps its split -> data/splits.parquet."""

from collections import Counter
from pathlib import Path

import pyarrow as pa

from mmx.dvc_state.cache import cached_file
from mmx.dvc_state.lock import read_lock
from mmx.engine.parquet import read_parquet, write_parquet
from mmx.errors import UserError
from mmx.outputs import ITEM
from mmx.pipeline.step import CORE_TOOLS, PlainStep
from mmx.project import Project
from mmx.steps import scenes


class SplitLostError(UserError):
    """dvc.lock names a split that is neither in the workspace nor in DVC's cache."""


def run(project: Project) -> None:
    """Write splits.parquet: trailers with at least `split.min_clips` clips, earlier splits kept."""
    from mmx.trailers.splits import assign

    layout, params = project.layout, project.params.split
    clips = _count_clips(layout.root)
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
        _earlier_split(project),
    )
    write_parquet(table, layout.splits)
    counts = Counter(table["split"].to_pylist())
    left_out = sum(row["status"] == "accepted" for row in rows) - len(table)
    print(f"split: {dict(sorted(counts.items()))}, {left_out} with too few clips left out")


def _count_clips(root: Path) -> Counter[str]:
    """Return the number of clips by trailer in the output of the scenes step."""
    counts: Counter[str] = Counter()
    for path in scenes.OUTPUT.shard_paths(root):
        counts.update(read_parquet(path, [ITEM])[ITEM].to_pylist())
    return counts


def _earlier_split(project: Project) -> pa.Table | None:
    """Return the earlier split from the workspace, else from DVC's cache; None if there was none.

    Raise SplitLostError if dvc.lock names one that is in neither: a new split would move test
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


STEP = PlainStep(name="split", tools=CORE_TOOLS, function=run)
