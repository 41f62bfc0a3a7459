"""Folders of files: the project's outputs in the work tree, and releases."""

import os
from collections.abc import Iterator
from pathlib import Path

from mmx.engine.atomic import sync
from mmx.features.restate import is_store, restate
from mmx.forget.clean import clean
from mmx.forget.traces import Traces


def clean_folder(folder: Path, traces: Traces) -> list[str]:
    """Take trailers out of every file below a folder; return the names of what was changed.

    A feature store in it is stated again. Other names of the same bytes keep them.
    """
    changed = [path for path in files_below(folder) if clean_file(path, traces)]
    for store in {path.parent for path in folder.rglob("manifest.sha256")}:
        inside = [path.name for path in store.iterdir()]
        if is_store(inside) and any(path.is_relative_to(store) for path in changed):
            restate(store)
    _drop_empty(folder)
    return [path.relative_to(folder).as_posix() for path in changed]


def clean_file(path: Path, traces: Traces) -> bool:
    """Take trailers out of a file, or remove it; say whether it had anything of them."""
    if traces.named_in(path.name):
        path.unlink()
        return True
    temporary = path.with_name(f".{path.name}.forget.tmp")
    try:
        result = clean(path, traces, temporary)
        if result:
            sync(temporary)
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if result is None:
        path.unlink()
    return result is not False


def files_below(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder, sorted, links not followed."""
    yield from sorted(
        path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()
    )


def _drop_empty(folder: Path) -> None:
    """Remove folders without files."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
