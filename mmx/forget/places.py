"""All places where something of a trailer can lie, and how each is looked through."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mmx.dvc_state.cache import Cache, find_cache
from mmx.forget.objects import CacheObjects, RemoteObjects
from mmx.forget.scan import Scan
from mmx.forget.tree import files_below
from mmx.project import Project
from mmx.release.register import Entry, folder_of, read_register

WORK_TREE, STORE, NOTES = "work tree", "item store", "DVC's notes"
PLANS = "forget"
"""Folder in the item store with what is being taken out; gone once that is done."""
_ELSEWHERE = (".git", ".dvc", ".mmx", ".venv", "build", "__pycache__")
_CODE = ("mmx", "stages", "scripts", "tests", "benchmarks", "docs")
"""Folders of the work tree that are no part of it, or places of their own; and mmx's own code,
which names trailers of the generated sample."""


@dataclass(frozen=True)
class Places:
    """The places of one project."""

    project: Project

    @property
    def root(self) -> Path:
        """The project's top folder."""
        return self.project.layout.root

    @cached_property
    def cache(self) -> Cache | None:
        """DVC's cache here."""
        return find_cache(self.root)

    @cached_property
    def releases(self) -> list[Entry]:
        """Every release that was made."""
        return read_register(self.root)

    def work_tree(self) -> Iterator[Path]:
        """Yield every file of the work tree, without what git, DVC and environments keep in it."""
        apart = {folder_of(self.root, each).resolve() for each in self.releases}
        apart |= {self.project.store.root.resolve()}
        for path in self.root.iterdir():
            if path.name in (*_ELSEWHERE, *_CODE):
                continue
            if path.is_file():
                yield path
            yield from (each for each in files_below(path) if apart.isdisjoint(each.parents))

    def links(self) -> Iterator[Path]:
        """Yield every link among the videos: its name counts, and what it leads to does not."""
        yield from (
            path for path in sorted(self.project.layout.videos.rglob("*")) if path.is_symlink()
        )

    def store(self) -> Iterator[Path]:
        """Yield every file of the item store, without the plan of a call that is under way."""
        root = self.project.store.root
        for path in files_below(root) if root.exists() else ():
            if path.relative_to(root).parts[0] != PLANS:
                yield path

    def notes(self) -> Iterator[Path]:
        """Yield what DVC notes of files to save time: in .dvc/tmp, and outside the project."""
        if self.cache is not None:
            with opened(self.root) as repo:
                folders = [Path(repo.tmp_dir), Path(repo.site_cache_dir)]
            for folder in folders:
                yield from files_below(folder)

    @contextmanager
    def remotes(self, aside: Path) -> Iterator[list[RemoteObjects]]:
        """Yield every remote of DVC."""
        if self.cache is None:
            yield []
            return
        with opened(self.root) as repo:
            names = sorted(repo.config["remote"])
            yield [_remote(repo, name, aside) for name in names]


@contextmanager
def opened(root: Path) -> Iterator[Any]:
    """Yield DVC's repository."""
    # DVC takes a second to import.
    from dvc.repo import Repo

    repo = Repo(str(root))
    try:
        yield repo
    finally:
        repo.close()


def _remote(repo: Any, name: str, aside: Path) -> RemoteObjects:
    folder = aside / f"remote-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    return RemoteObjects(f"remote {name}", repo.cloud.get_remote_odb(name), folder)


def scan_all(places: Places, scan: Scan) -> dict[str, str]:
    """Look through all places; return why a place could not be looked through, by its name."""
    root, store = places.root, places.project.store.root
    for path in places.work_tree():
        scan.look(WORK_TREE, path, path.relative_to(root).as_posix())
    for link in places.links():
        scan.look_at_name(WORK_TREE, link.relative_to(root).as_posix())
    for path in places.store():
        scan.look(STORE, path, path.relative_to(store).as_posix())
    for path in places.notes():
        scan.look(NOTES, path, path.name)
    for entry in places.releases:
        folder = folder_of(root, entry)
        for path in files_below(folder) if folder.exists() else ():
            scan.look(f"release {entry.version}", path, path.relative_to(folder).as_posix())
    return _scan_objects(places, scan)


def _scan_objects(places: Places, scan: Scan) -> dict[str, str]:
    """Look through DVC's cache and its remotes; of these, what the cache has is not read again."""
    if places.cache is None:
        return {}
    here = CacheObjects(places.cache)
    names = set(here.names())
    for md5 in sorted(names):
        scan.look(here.name, here.read(md5), md5)
    failed = {}
    with tempfile.TemporaryDirectory() as folder, places.remotes(Path(folder)) as remotes:
        for remote in remotes:
            try:
                for md5 in sorted(set(remote.names()) - names):
                    path = remote.read(md5)
                    scan.look(remote.name, path, md5)
                    path.unlink()
            except Exception as error:
                # Whatever a kind of remote raises: it could not be looked through.
                failed[remote.name] = str(error) or type(error).__name__
    return failed


def git(root: Path, *arguments: str) -> str:
    """Return what git prints, without white space around it; empty where it fails."""
    with suppress(OSError, subprocess.CalledProcessError):
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return ""
