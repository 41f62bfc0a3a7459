"""Where data, item store and DVC's cache lie, and how files are shared between them."""

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from mmx.doctor.finding import Finding
from mmx.dvc_state.cache import find_cache
from mmx.outputs import receipt_files
from mmx.pipeline.registry import trailer_steps
from mmx.pipeline.upstream import Upstream
from mmx.project import Project

_FICLONE = 0x40049409
"""Linux's request to let two files share their blocks."""
_LEAST = 1 << 30
"""Bytes of free space below which a run is likely to fail."""
_ONE_DISK = "MMX_STORE=FOLDER moves the item store, `dvc cache dir FOLDER` DVC's cache"


def disks(project: Project) -> Iterator[Finding]:
    """Yield what is found of the file systems of a project."""
    places = _places(project)
    closed = {name: path for name, path in places.items() if not os.access(path, os.W_OK)}
    for name, path in closed.items():
        remedy = f"`chmod -R u+w {path}`, or run as its owner"
        yield Finding("disks", "wrong", f"{name} ({path}) cannot be written", remedy)
    yield _one_file_system(places)
    if not closed:
        yield _links(places)
        yield _locks(places["the item store"])
    yield _space(project, places)


def _places(project: Project) -> dict[str, Path]:
    """Return the folders by what they are, or the nearest folder above one that is not there."""
    cache = find_cache(project.layout.root)
    named = {
        "the project": project.layout.root,
        "the item store": project.store.root,
        "DVC's cache": cache.folder if cache else project.layout.root,
    }
    return {name: _present(path) for name, path in named.items()}


def _present(path: Path) -> Path:
    return next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())


def _one_file_system(places: Mapping[str, Path]) -> Finding:
    devices = {path.stat().st_dev for path in places.values()}
    if len(devices) == 1:
        kind = _kind_of_file_system(places["the project"])
        return Finding("disks", "ok", f"project, item store and DVC's cache are on one {kind}")
    where = "; ".join(f"{name}: {path}" for name, path in places.items())
    found = f"they are on {len(devices)} file systems, so results are stored as often ({where})"
    return Finding("disks", "note", found, f"put them on one: {_ONE_DISK}")


def _kind_of_file_system(path: Path) -> str:
    """Return the type of the file system that a path is on, as the kernel lists its mounts."""
    try:
        lines = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "file system"
    mounts = {fields[1]: fields[2] for line in lines if len(fields := line.split()) > 2}
    parents = (str(each) for each in (path, *path.parents))
    return f"{next((mounts[each] for each in parents if each in mounts), '')} file system".strip()


def _links(places: Mapping[str, Path]) -> Finding:
    """Try how a file of the item store comes into DVC's cache."""
    with (
        tempfile.TemporaryDirectory(dir=places["the item store"]) as ours,
        tempfile.TemporaryDirectory(dir=places["DVC's cache"]) as theirs,
    ):
        source = Path(ours, "file")
        source.write_bytes(b"mmx")
        kinds = [
            name
            for name, share in (("reflinks", _reflink), ("hard links", _hard_link))
            if share(source, Path(theirs, name))
        ]
    if kinds:
        return Finding("links", "ok", f"{' and '.join(kinds)}: a result is stored once")
    found = "neither reflinks nor hard links: every result is stored twice or more"
    return Finding("links", "note", found, f"use one file system that has them: {_ONE_DISK}")


def _reflink(source: Path, target: Path) -> bool:
    with source.open("rb") as old, target.open("wb") as new:
        try:
            fcntl.ioctl(new, _FICLONE, old.fileno())
        except OSError:
            return False
    return True


def _hard_link(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError:
        return False
    return True


def _locks(store: Path) -> Finding:
    with tempfile.TemporaryFile(dir=store) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP):
                raise
            remedy = "start one run at a time; they notice each other by .mmx/present alone"
            return Finding("locks", "note", "the item store's file system has none", remedy)
    return Finding("locks", "ok", "two runs cannot take the item store at once")


def _space(project: Project, places: Mapping[str, Path]) -> Finding:
    free = min(shutil.disk_usage(path).free for path in places.values())
    need = _bytes_to_come(project)
    found = f"{free / 1e9:.1f} GB are free"
    wanted = f"; what is not made yet needs some {need / 1e9:.1f} GB" if need else ""
    if free < _LEAST or free < need:
        remedy = f"free some, or use another disk: {_ONE_DISK}"
        return Finding("space", "wrong" if free < _LEAST else "note", found + wanted, remedy)
    return Finding("space", "ok", found + wanted)


def _bytes_to_come(project: Project) -> float:
    """Return what the items that no output has yet need, by shipped rates; 0 before ingest."""
    upstream, root = Upstream(project), project.layout.root
    with suppress(FileNotFoundError):
        minutes = sum(float(row["duration_s"]) for row in upstream.sources.values()) / 60
        steps = trailer_steps(project.params)
        fresh = [step for step in steps if not receipt_files(step.output.path(root))]
        return minutes * sum(step.rate(project.params).bytes for step in fresh)
    return 0.0
