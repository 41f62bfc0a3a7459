"""DVC's local cache: every version of every output, each file under the md5 of its content."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from mmx.dvc_state.lock import read_lock
from mmx.engine.canonical import bytes_digest, file_digest
from mmx.engine.errors import UserError
from mmx.engine.files import FileRefusedError, read_regular
from mmx.engine.plain import is_md5, is_plain_path
from mmx.layout import find_main

DIRECTORY = ".dir"
"""Suffix of the md5 of a directory, which is that of the listing of its files."""
_LARGEST = 1 << 30
"""Bytes of a listing."""


class DamagedListingError(UserError):
    """The bytes of a directory's listing do not have the md5 in its name."""


@dataclass(frozen=True)
class Cache:
    """The cache's folder `files/md5`."""

    folder: Path

    @property
    def runs(self) -> Path:
        """The folder of the run-cache: the outputs of every run of a stage, by its inputs."""
        return self.folder.parent.parent / "runs"

    def path(self, md5: str) -> Path:
        """Return where the object with this md5 lies, whether or not it is there."""
        return self.folder / md5[:2] / md5[2:]

    def objects(self) -> Iterator[Path]:
        """Yield the path of every object, sorted."""
        for path in sorted(self.folder.glob("??/*")):
            if len(content_md5(path)) == 32:
                yield path

    def listing(self, md5: str) -> dict[str, str]:
        """Return the md5 of every file of a directory by its path in it.

        Raise FileNotFoundError where the cache has no such listing, DamagedListingError where it
        has another content under that name.
        """
        path = self.path(md5)
        try:
            content = read_regular(path, _LARGEST)
            listed = {entry["relpath"]: entry["md5"] for entry in orjson.loads(content)}
        except (FileRefusedError, ValueError, KeyError, TypeError):
            raise DamagedListingError(f"{path.name} is not a listing") from None
        if bytes_digest(content, "md5") != content_md5(path):
            raise DamagedListingError(f"{path.name} does not have the md5 in its name")
        if not all(is_plain_path(name) and is_md5(found) for name, found in listed.items()):
            raise DamagedListingError(f"{path.name} names files outside its directory")
        return listed

    def files(self, md5: str) -> dict[str, str]:
        """Return the listing of a directory; empty for a file, or where there is no valid one."""
        if not md5.endswith(DIRECTORY):
            return {}
        try:
            return self.listing(md5)
        except (FileNotFoundError, DamagedListingError):
            return {}


def find_cache(root: Path) -> Cache | None:
    """Return the local cache of the DVC repository in the folder `root`; None where there is none.

    Only the part of DVC that reads its settings is imported: the rest takes seconds to load.
    """
    if not (root / ".dvc").is_dir():
        return None
    from dvc.config import Config

    folder = Config(str(root / ".dvc"))["cache"].get("dir")
    return Cache(Path(folder or root / ".dvc" / "cache") / "files" / "md5")


def cached_file(root: Path, out: str) -> Path | None:
    """Return where the cache has an output that is one file; None where it is not there."""
    digest = read_lock(root).outs.get(out)
    paths = [cache.path(digest) for cache in _caches(root)] if digest else []
    return next((path for path in paths if path.exists()), None)


def cached_files(root: Path, out: str, digest: str | None = None) -> dict[str, Path]:
    """Return where the cache keeps each file of an output directory, by its name in it.

    digest: md5 of the directory's listing; by default that in dvc.lock. Empty where dvc.lock does
    not name the directory, or where its listing is gone or damaged.
    """
    digest = digest or read_lock(root).outs.get(out)
    for cache in _caches(root) if digest else ():
        files = cache.files(digest or "")
        if files:
            return {name: cache.path(md5) for name, md5 in files.items()}
    return {}


def _caches(root: Path) -> list[Cache]:
    """Return the repository's cache, then that of the project it is another checkout of."""
    main = find_main(root)
    found = [find_cache(each) for each in (root, main) if each]
    return [cache for cache in found if cache]


def object_md5(path: Path) -> str:
    """Return the md5 of an object of the cache as dvc.lock has it, from its path."""
    return path.parent.name + path.name


def content_md5(path: Path) -> str:
    """Return the md5 that the content of an object of the cache should have, from its path."""
    return object_md5(path).removesuffix(DIRECTORY)


def is_intact(path: Path) -> bool:
    """Say whether an object of the cache is there with the content that its path states."""
    try:
        return file_digest(path, "md5") == content_md5(path)
    except OSError:
        return False
