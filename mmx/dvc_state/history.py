"""What git and DVC remember: earlier versions of every output, each by its commit."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from mmx.dvc_state.cached import is_intact
from mmx.engine.errors import ReceiptError
from mmx.engine.receipt import Receipt
from mmx.errors import UserError
from mmx.outputs import RECEIPTS, shard_of

LOCK = "dvc.lock"


class HistoryError(UserError):
    """A revision cannot be read, or DVC's cache does not have what it names."""


@dataclass(frozen=True)
class Commit:
    """One commit of the project."""

    sha: str
    """40 hexadecimal digits."""
    date: str
    """Author's date, ISO 8601."""
    subject: str

    def __str__(self) -> str:
        """Short name, day and subject."""
        return f"{self.sha[:10]} {self.date[:10]} {self.subject}"


@dataclass(frozen=True)
class Version:
    """The outputs that one dvc.lock names."""

    outs: dict[str, str]
    """md5 of each output by its path; that of a directory ends in .dir."""
    cache: Path
    """DVC's local cache of files."""
    commit: Commit | None = None
    """None for dvc.lock as it lies in the work tree."""

    def listing(self, out: str) -> dict[str, str]:
        """Return the md5 of every file of an output directory by its path in it.

        Empty where dvc.lock does not name it; HistoryError where DVC's cache lacks the listing, or
        has other bytes under its name.
        """
        digest = self.outs.get(out)
        if digest is None:
            return {}
        try:
            content = self.object(digest).read_bytes()
        except FileNotFoundError:
            where = f"commit {self.commit.sha[:10]}" if self.commit else "dvc.lock"
            raise HistoryError(
                f"DVC's cache does not have {out} as {where} names it: "
                "`dvc fetch --all-commits` gets it"
            ) from None
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != digest.removesuffix(".dir"):
            raise HistoryError(f"the listing of {out} in DVC's cache is damaged: `mmx repair`")
        return {entry["relpath"]: entry["md5"] for entry in json.loads(content)}

    def damaged_listings(self) -> Iterator[str]:
        """Yield every output directory whose listing is in DVC's cache with other bytes."""
        for out, digest in sorted(self.outs.items()):
            listing = self.object(digest)
            if digest.endswith(".dir") and listing.exists() and not is_intact(listing):
                yield out

    def object(self, md5: str) -> Path:
        """Return where DVC's cache keeps the file with this md5."""
        return self.cache / md5[:2] / md5[2:]

    def receipt(self, out: str, item: str) -> Receipt | None:
        """Return an item's receipt in an output directory; None where this version has none."""
        digest = self.listing(out).get(f"{RECEIPTS}/r{shard_of(item)}.jsonl")
        return receipts_of_shard(self.object(digest)).get(item) if digest else None


@cache
def receipts_of_shard(path: Path) -> dict[str, Receipt]:
    """Return the sound receipts of one file of receipts by item; none where it is missing."""
    try:
        entries = [json.loads(line) for line in path.read_bytes().splitlines()]
        return {entry["item"]: Receipt.from_dict(entry["receipt"]) for entry in entries}
    except (FileNotFoundError, ReceiptError, ValueError, KeyError, TypeError):
        return {}


@dataclass(frozen=True)
class History:
    """The versions of a project's outputs. Works without git and without DVC: then it is empty."""

    root: Path
    """Top folder of the project."""

    @cached_property
    def cache(self) -> Path | None:
        """DVC's local cache of files; None outside a DVC repository."""
        if not (self.root / ".dvc").is_dir():
            return None
        # Importing DVC takes a second.
        from dvc.repo import Repo

        return Path(Repo(str(self.root)).cache.local.path)

    @property
    def now(self) -> Version | None:
        """What dvc.lock in the work tree names."""
        path = self.root / LOCK
        if self.cache is None or not path.exists():
            return None
        return Version(parse_lock(path.read_text(encoding="utf-8")), self.cache)

    def at(self, revision: str) -> Version:
        """Return the version at a revision of git; HistoryError for an unknown one."""
        found = self.git("log", "-1", "--format=%H%x00%aI%x00%s", revision, "--")
        if self.cache is None or not found.strip():
            raise HistoryError(f"{revision!r} is no revision of a project under git and DVC")
        commit = Commit(*found.strip().split("\0"))
        text = self.git("show", f"{commit.sha}:./{LOCK}")
        return Version(parse_lock(text), self.cache, commit)

    @cached_property
    def commits(self) -> list[Commit]:
        """Commits that changed dvc.lock, newest first; none outside a DVC repository."""
        if self.cache is None:
            return []
        text = self.git("log", "--format=%H%x00%aI%x00%s", "--", LOCK)
        return [Commit(*line.split("\0")) for line in text.splitlines()]

    def versions(self, out: str) -> Iterator[Version]:
        """Yield one version for every change of an output, newest first, each by its oldest commit.

        That is the commit which brought it.
        """
        held: Version | None = None
        for commit in self.commits:
            version = self.at(commit.sha)
            if held is not None and version.outs.get(out) != held.outs.get(out):
                yield held
            held = version
        if held is not None:
            yield held

    def git(self, *arguments: str) -> str:
        """Return what git prints; nothing where it fails or is not installed."""
        command = ["git", "-C", str(self.root), *arguments]
        try:
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout
        except (subprocess.CalledProcessError, FileNotFoundError):
            return ""


def parse_lock(text: str) -> dict[str, str]:
    """Return the md5 of every output that a dvc.lock names; empty for what is not one."""
    try:
        stages: dict[str, Any] = (yaml.safe_load(text) or {}).get("stages", {})
        outs = [out for stage in stages.values() for out in stage.get("outs", [])]
        return {out["path"]: out["md5"] for out in outs if "md5" in out}
    except (yaml.YAMLError, AttributeError, KeyError, TypeError):
        return {}
