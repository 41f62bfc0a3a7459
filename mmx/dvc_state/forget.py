"""Remove what refers to objects in dvc.lock and in DVC's run-cache.

DVC restores an output whose digest it has recorded, damaged or not, instead of making it again.
"""

import json
from collections.abc import Collection, Set
from pathlib import Path

import yaml

from mmx.dvc_state.cache import DIRECTORY, Cache, DamagedListingError, object_md5
from mmx.dvc_state.lock import UNREADABLE, Lock, stage_outs


def objects_at(paths: Collection[Path], root: Path, lock: Lock, cache: Cache | None) -> set[str]:
    """Return the md5, as DVC writes it, of every object that files are, or should be.

    paths: files of the project in the folder `root`, or of DVC's cache.
    """
    if cache is None:
        return set()
    found = {object_md5(path) for path in paths if path.is_relative_to(cache.folder)}
    for out, digest in lock.outs.items():
        if root / out in paths:
            found.add(digest)
        files = cache.files(digest).items()
        found |= {md5 for name, md5 in files if root / out / name in paths}
    return found


def stages_with(
    paths: Collection[Path], objects: Set[str], root: Path, lock: Lock, cache: Cache | None
) -> set[str]:
    """Return the stages whose outputs have any of these files or objects."""
    return {
        stage
        for stage, outs in lock.stages.items()
        for out, digest in outs.items()
        if any(path.is_relative_to(root / out) for path in paths)
        or (cache and not objects.isdisjoint({digest, *cache.files(digest).values()}))
    }


def forget_runs(cache: Cache, objects: Set[str]) -> None:
    """Remove the entries of DVC's run-cache that would bring one of the objects back."""
    for path in sorted(cache.runs.glob("??/*/*")):
        if any(_leads_to(md5, objects, cache) for md5 in _outs_of_run(path)):
            path.unlink()
            # DVC fails on an empty folder of runs.
            if not any(path.parent.iterdir()):
                path.parent.rmdir()


def _outs_of_run(path: Path) -> list[str]:
    """Return the md5 of every output of a run-cache entry; one empty string where it is damaged."""
    try:
        return list(stage_outs(yaml.safe_load(path.read_text(encoding="utf-8"))).values())
    except UNREADABLE:
        return [""]


def _leads_to(md5: str, objects: Set[str], cache: Cache) -> bool:
    """Say whether an output is one of the objects, or a directory with one of them in it.

    True for a directory whose listing is lost or damaged, since it may have them.
    """
    if not md5 or md5 in objects:
        return True
    if not md5.endswith(DIRECTORY):
        return False
    try:
        return not objects.isdisjoint(cache.listing(md5).values())
    except (FileNotFoundError, DamagedListingError):
        return True


def clear_rwlock(root: Path) -> None:
    """Remove DVC's list of who reads and writes what, if a killed process left it incomplete.

    DVC refuses to run with a broken one; running processes write it again.
    """
    path = root / ".dvc" / "tmp" / "rwlock"
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except (ValueError, RecursionError):
        path.unlink()
