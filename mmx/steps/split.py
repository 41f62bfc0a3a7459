"""split: train, validation, test; who has a place keeps it -> data/splits.parquet."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from mmx.dvc_state.cache import cached_file
from mmx.dvc_state.lock import read_lock
from mmx.engine.parquet import read_parquet
from mmx.errors import UserError
from mmx.outputs import ITEM
from mmx.pipeline.step import CORE_TOOLS, PlainStep
from mmx.pipeline.upstream import Upstream
from mmx.project import Project
from mmx.steps import scenes


class SameVideoError(UserError):
    """One video has several ids that are not in one group: it could be on two sides."""


_COLUMNS = [ITEM, "group_id", "genres", "status"]
"""Of trailers.parquet."""


class SplitLostError(UserError):
    """dvc.lock names a split that is neither in the workspace nor in DVC's cache."""


def run(project: Project) -> None:
    """Write splits.parquet: trailers with at least `split.min_clips` clips, earlier places kept.

    Raise SplitConflictError or SameVideoError where one film would be on two sides.
    """
    from mmx.trailers.places import write_places
    from mmx.trailers.splits import assign

    layout, params = project.layout, project.params.split
    rows = read_parquet(layout.trailers, _COLUMNS).to_pylist()
    members = _members(project, rows)
    groups = {name: row["group_id"] for name, row in members.items()}
    _require_grouped(project, groups)
    earlier = _earlier_split(project)
    labels = {name: row["genres"] for name, row in members.items()}
    table = assign(groups, labels, params, earlier)
    absent = write_places(layout.splits, table, earlier)
    counts = Counter(table["split"].to_pylist())
    left_out = sum(row["status"] == "accepted" for row in rows) - len(table)
    kept = f", {absent} absent ones keep their place" if absent else ""
    print(f"split: {dict(sorted(counts.items()))}, {left_out} with too few clips left out{kept}")


def is_current(upstream: Upstream) -> bool:
    """Say whether exactly the trailers that belong into the split have a place in it."""
    layout = upstream.project.layout
    members = _members(upstream.project, read_parquet(layout.trailers, _COLUMNS).to_pylist())
    if not layout.splits.exists():
        return False
    return set(read_parquet(layout.splits, [ITEM])[ITEM].to_pylist()) == members.keys()


def _members(project: Project, rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the rows of the trailers that belong into the split, by trailer_id."""
    clips = _count_clips(project.layout.root)
    return {
        row[ITEM]: row
        for row in rows
        if row["status"] == "accepted" and clips[row[ITEM]] >= project.params.split.min_clips
    }


def _require_grouped(project: Project, groups: Mapping[str, str]) -> None:
    """Raise SameVideoError for trailers with byte-identical videos that are not of one group."""
    rows = read_parquet(project.layout.sources, ["trailer_id", "sha256"]).to_pylist()
    same: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["trailer_id"] in groups:
            same[row["sha256"]].append(row["trailer_id"])
    apart = [names for names in same.values() if len({groups[name] for name in names}) > 1]
    if apart:
        more = f", and {len(apart) - 1} more such videos" if len(apart) > 1 else ""
        raise SameVideoError(
            f"{', '.join(sorted(apart[0]))} have the same video, byte by byte{more}: "
            "`mmx duplicates --accept` gives them one group_id in the manifest, so that they share "
            "a split; or take a row out"
        )


def _count_clips(root: Path) -> Counter[str]:
    """Return the number of clips by trailer in the output of the scenes step."""
    counts: Counter[str] = Counter()
    for path in scenes.OUTPUT.shard_paths(root):
        counts.update(read_parquet(path, [ITEM])[ITEM].to_pylist())
    return counts


def _earlier_split(project: Project) -> pa.Table | None:
    """Return all places given so far, from the workspace, else from DVC's cache; None if none.

    Raise SplitLostError if dvc.lock names one that is in neither: a new split would move test
    trailers into training.
    """
    from mmx.trailers.places import read_places

    layout = project.layout
    if layout.splits.exists():
        return read_places(layout.splits)
    out = layout.splits.relative_to(layout.root).as_posix()
    if out not in read_lock(layout.root).outs:
        return None
    cached = cached_file(layout.root, out)
    if cached is None:
        raise SplitLostError(
            f"{out} is in dvc.lock but neither here nor in DVC's cache: `dvc pull {out}`, or take "
            "the stage split out of dvc.lock to draw a new split"
        )
    return read_places(cached)


STEP = PlainStep(name="split", tools=CORE_TOOLS, function=run, current=is_current)
