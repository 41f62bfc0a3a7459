"""Merge dvc.lock: by stage; what both sides ran again, the next `dvc repro` decides.

A stage that only one side changed is as there. One that both changed is ours: its dependencies are
those of neither in the merged tree, so DVC runs it again, and mmx finds the items of both sides
(`dvc_state/cached.py`). The split is merged here: it is a decision and not a result.
"""

from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from mmx.dvc_state.cache import Cache, find_cache
from mmx.engine.atomic import link_or_copy, write_atomic
from mmx.engine.canonical import file_digest
from mmx.engine.parquet import read_parquet
from mmx.errors import UserError
from mmx.merge.rows import merge_rows, rows_by
from mmx.trailers.places import read_places, write_places
from mmx.trailers.splits import SCHEMA

SPLIT, SPLITS = "split", "data/splits.parquet"
KEY = "trailer_id"


class LockMergeError(UserError):
    """The two versions of dvc.lock cannot be merged."""


def merge_lock(root: Path, base: Path, ours: Path, theirs: Path) -> tuple[str, ...]:
    """Write the merged dvc.lock to `ours`, and the split; return the split's conflicts.

    root: the project. Raise LockMergeError for a version that is not a dvc.lock, or where DVC's
    cache lacks a split.
    """
    before, here, there = (_stages(path) for path in (base, ours, theirs))
    stages = {
        name: stage
        for name in dict.fromkeys((*here, *there))
        if (stage := _merge_stage(before.get(name), here.get(name), there.get(name)))
    }
    conflicts: tuple[str, ...] = ()
    splits = [_split_of(each) for each in (before, here, there)]
    if splits[1] and splits[2] and len({splits[1], splits[2]}) == 2 and splits[2] != splits[0]:
        conflicts = _merge_split(root, splits, stages[SPLIT])
    data = {
        "schema": "2.0",
        "stages": dict(sorted(stages.items(), key=lambda each: _order(each[0], here))),
    }
    write_atomic(ours, yaml.safe_dump(data, sort_keys=False, allow_unicode=True).encode())
    return conflicts


def _order(name: str, known: dict[str, Any]) -> int:
    """Return the place of a stage: as on our side, others last."""
    return list(known).index(name) if name in known else len(known)


def _stages(path: Path) -> dict[str, Any]:
    """Return the entries of a dvc.lock; none where the file was not there."""
    try:
        stages = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("stages", {})
        return {str(name): dict(stage) for name, stage in stages.items()}
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, TypeError, ValueError):
        raise LockMergeError("a version of dvc.lock cannot be read: merge it by hand") from None


def _merge_stage(base: Any, ours: Any, theirs: Any) -> Any:
    """Return the entry of a stage: the side that changed it, ours if both did."""
    return theirs if ours == base else ours


def _split_of(stages: dict[str, Any]) -> str:
    """Return the md5 of the split that a version names; empty where it names none."""
    outs = stages.get(SPLIT, {}).get("outs", [])
    return next((str(out.get("md5", "")) for out in outs if out.get("path") == SPLITS), "")


def _merge_split(root: Path, splits: list[str], stage: dict[str, Any]) -> tuple[str, ...]:
    """Merge three splits into one, in the work tree, DVC's cache and a stage's entry."""
    cache = find_cache(root)
    if cache is None:
        raise LockMergeError(
            "the project is not a DVC repository: dvc.lock has to be merged by hand"
        )
    tables = [_read_split(cache, md5) for md5 in splits]
    base, ours, theirs = (rows_by(KEY, table.to_pylist()) for table in tables)
    merged = merge_rows(base, ours, theirs, empty=None)
    rows = [merged.rows[name] for name in sorted(merged.rows)]
    path = root / SPLITS
    schema = tables[1].schema.remove_metadata()
    write_places(path, pa.Table.from_pylist(rows, schema), _places(cache, splits[1:]))
    md5 = file_digest(path, "md5")
    if not cache.path(md5).exists():
        link_or_copy(path, cache.path(md5))
        cache.path(md5).chmod(0o444)
    entry = next(out for out in stage["outs"] if out["path"] == SPLITS)
    entry |= {"md5": md5, "size": path.stat().st_size}
    return merged.conflicts


def _places(cache: Cache, splits: list[str]) -> pa.Table:
    """Return every place that either side ever gave; ours where they differ."""
    sides = [read_places(cache.path(md5)).to_pylist() for md5 in reversed(splits)]
    rows = rows_by(KEY, [row for side in sides for row in side])
    return pa.Table.from_pylist(list(rows.values()), SCHEMA)


def _read_split(cache: Cache, md5: str) -> pa.Table:
    """Return a split from DVC's cache; an empty one where there was none."""
    if not md5:
        return pa.table({KEY: []})
    if not cache.path(md5).exists():
        raise LockMergeError(
            f"DVC's cache lacks the split of one side, {md5}: `git merge --abort`, then "
            "`dvc fetch --all-branches`, then merge again"
        )
    return read_parquet(cache.path(md5))
