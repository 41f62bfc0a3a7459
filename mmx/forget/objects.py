"""Every version of every output, by DVC's digests: in its cache here, and in remotes.

Each object that has something of the trailers is replaced by one without, which has another digest;
the listings of directories follow. So an earlier version is still there whole, under the new digest
of its listing. A listing of a feature store is described again, since its digests change.
"""

import json
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mmx.dvc_state.cache import DIRECTORY, Cache, object_md5
from mmx.engine.atomic import atomic_path, link_or_copy, write_atomic
from mmx.engine.canonical import file_digest
from mmx.features.restate import is_store, restate
from mmx.forget.clean import clean
from mmx.forget.traces import Traces

BECAME = "became.json"


class Objects(Protocol):
    """A place with objects of DVC, each under its md5; that of a listing ends in .dir."""

    @property
    def name(self) -> str:
        """How the place is called."""

    def names(self) -> Iterable[str]:
        """Return the md5 of every object."""

    def read(self, md5: str) -> Path:
        """Return a local file with the object's bytes; FileNotFoundError where it is not there."""

    def add(self, path: Path, md5: str) -> None:
        """Put a file there, unless it is."""

    def remove(self, md5: str) -> None:
        """Remove an object, if it is there."""


@dataclass(frozen=True)
class CacheObjects:
    """The cache here."""

    cache: Cache
    name: str = "DVC's cache"

    def names(self) -> list[str]:
        """Return the md5 of every object."""
        return [object_md5(path) for path in self.cache.objects()]

    def read(self, md5: str) -> Path:
        """Return the object itself."""
        path = self.cache.path(md5)
        if not path.exists():
            raise FileNotFoundError(path)
        return path

    def add(self, path: Path, md5: str) -> None:
        """Link or copy a file into the cache."""
        target = self.cache.path(md5)
        if not target.exists():
            link_or_copy(path, target)
            target.chmod(0o444)

    def remove(self, md5: str) -> None:
        """Unlink an object."""
        self.cache.path(md5).unlink(missing_ok=True)


@dataclass
class RemoteObjects:
    """A remote of DVC, on whatever it is: DVC's own library reads and writes it."""

    name: str
    odb: Any
    """dvc_data's HashFileDB."""
    aside: Path
    """A folder here for what is read."""

    def names(self) -> list[str]:
        """Return the md5 of every object; OSError for a folder that is not there (mounted)."""
        if self.odb.fs.protocol == "local" and not Path(self.odb.path).is_dir():
            raise FileNotFoundError(f"{self.odb.path} is not there")
        with suppress(FileNotFoundError):
            return sorted(self.odb.all())
        return []

    def read(self, md5: str) -> Path:
        """Download an object, once."""
        path = self.aside / md5
        if not path.exists():
            with atomic_path(path) as temporary:
                self.odb.fs.get_file(self.odb.oid_to_path(md5), str(temporary))
        return path

    def add(self, path: Path, md5: str) -> None:
        """Upload a file."""
        target = self.odb.oid_to_path(md5)
        if not self.odb.fs.exists(target):
            self.odb.fs.makedirs(self.odb.fs.parent(target), exist_ok=True)
            self.odb.fs.put_file(str(path), target)

    def remove(self, md5: str) -> None:
        """Delete an object."""
        with suppress(FileNotFoundError):
            self.odb.fs.rm_file(self.odb.oid_to_path(md5))


@dataclass
class Rewriting:
    """What became of objects, in all places: equal bytes are cleaned once."""

    traces: Traces
    aside: Path
    """A folder for new objects."""
    became: dict[str, str | None] = field(default_factory=dict)
    """By md5: the same, another one, or None where nothing may stay."""

    def run(self, place: Objects) -> list[str]:
        """Rewrite all objects of a place; return the md5 of those that it had to replace."""
        names = sorted(place.names(), key=lambda md5: md5.endswith(DIRECTORY))
        for md5 in names:
            if md5 not in self.became:
                self.became[md5] = self._rewrite(place, md5)
        changed = [md5 for md5 in names if self.became[md5] != md5]
        self.save()
        for md5 in changed:
            self._put(place, self.became[md5])
        for md5 in changed:
            place.remove(md5)
        return changed

    @property
    def changed(self) -> dict[str, str | None]:
        """What became of the objects that are no longer there."""
        return {old: new for old, new in self.became.items() if new != old}

    def save(self) -> None:
        """Note what became of objects before any is removed, for a run that is interrupted."""
        write_atomic(self.aside / BECAME, json.dumps(self.changed).encode())

    def load(self) -> None:
        """Take up the notes of an interrupted run."""
        with suppress(FileNotFoundError):
            self.became |= json.loads((self.aside / BECAME).read_bytes())

    def _rewrite(self, place: Objects, md5: str) -> str | None:
        """Return the md5 that an object has without the trailers."""
        if md5.endswith(DIRECTORY):
            return self._rewrite_listing(place, md5)
        with tempfile.TemporaryDirectory(dir=self.aside) as folder:
            out = Path(folder) / "out"
            result = clean(place.read(md5), self.traces, out)
            return self._keep(out) if result else md5 if result is False else None

    def _keep(self, path: Path, suffix: str = "") -> str:
        """Set a new file aside under its md5, and return that."""
        md5 = file_digest(path, "md5") + suffix
        shutil.move(path, self.aside / md5)
        self.became[md5] = md5
        return md5

    def _put(self, place: Objects, md5: str | None) -> None:
        """Put a new object, and the files of a new listing, into a place."""
        if md5 is None or not (self.aside / md5).exists():
            return
        if md5.endswith(DIRECTORY):
            for entry in json.loads((self.aside / md5).read_bytes()):
                self._put(place, entry["md5"])
        place.add(self.aside / md5, md5)

    def _rewrite_listing(self, place: Objects, md5: str) -> str | None:
        """Return the md5 of a directory's listing without them."""
        try:
            files = {
                each["relpath"]: each["md5"] for each in json.loads(place.read(md5).read_bytes())
            }
        except (ValueError, KeyError, TypeError):
            return None
        kept = {
            name: new
            for name, old in files.items()
            if not self.traces.named_in(name) and (new := self.became.get(old, old))
        }
        if kept == files:
            return md5
        if is_store(kept):
            kept = self._restated(place, kept)
        return self._keep_listing(kept) if kept else None

    def _keep_listing(self, files: dict[str, str]) -> str:
        """Set a listing aside, as DVC writes it."""
        entries = [{"md5": files[name], "relpath": name} for name in sorted(files)]
        path = self.aside / "listing"
        path.write_text(json.dumps(entries, sort_keys=True), encoding="utf-8")
        return self._keep(path, DIRECTORY)

    def _restated(self, place: Objects, files: dict[str, str]) -> dict[str, str]:
        """Return the files of a feature store with counts and digests as they are now.

        A store that is not complete here stays as it is listed.
        """
        with tempfile.TemporaryDirectory(dir=self.aside) as folder:
            store = Path(folder)
            try:
                for name, md5 in files.items():
                    self._lay_out(place, md5, store / name)
            except FileNotFoundError:
                return files
            changed = restate(store)
            return files | {name: self._keep(store / name) for name in changed}

    def _lay_out(self, place: Objects, md5: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        new = self.aside / md5
        link_or_copy(new if new.exists() else place.read(md5), target)
