"""Releases that were made: without the trailers, readable and valid, with a note that says so."""

from pathlib import Path

from mmx.forget.traces import Traces
from mmx.forget.tree import clean_folder
from mmx.release.register import Entry, folder_of


def clean_release(root: Path, entry: Entry, traces: Traces) -> int:
    """Clean one release, if it is there; return how many files had something of the trailers."""
    folder = folder_of(root, entry)
    return len(clean_folder(folder, traces)) if folder.exists() else 0
