"""Releases that were made: without the trailers, readable and valid, with a note that says so."""

from dataclasses import replace
from pathlib import Path

from mmx.features.restate import count_again
from mmx.forget.traces import Traces
from mmx.forget.tree import clean_folder
from mmx.release.about import ABOUT_FILE, Taken, read_about, write_about
from mmx.release.describe import describe_release
from mmx.release.register import Entry, folder_of, read_register, write_register


def clean_release(root: Path, entry: Entry, traces: Traces, taken: Taken) -> int:
    """Clean one release, if it is there; return how many files had something of the trailers.

    Its descriptions are written again, with a note; the register gets the new root digest. A call
    after an interruption completes that.
    """
    folder = folder_of(root, entry)
    if not (folder / ABOUT_FILE).exists():
        return 0
    about = read_about(folder)
    known = any(each.tombstones == taken.tombstones for each in about.taken)
    if not known and not _has_any(folder, traces):
        return 0
    if not known:
        note = replace(taken, former_root=entry.root)
        write_about(folder, replace(about, taken=(*about.taken, note)))
    changed = clean_folder(folder, traces)
    count_again(folder)
    new = describe_release(folder)
    entries = read_register(root)
    noted = [replace(e, root=new) if e.version == entry.version else e for e in entries]
    write_register(root, noted)
    return len(changed)


def _has_any(folder: Path, traces: Traces) -> bool:
    """Say whether a release has any of the trailers."""
    from mmx.engine.parquet import read_parquet

    paths = sorted((folder / "trailers").glob("*/*.parquet"))
    return any(
        not traces.ids.isdisjoint(read_parquet(path, ["trailer_id"])["trailer_id"].to_pylist())
        for path in paths
    )
