"""Earlier versions of every output, each by its commit: dvc.lock in git's history."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from mmx.dvc_state.cache import DIRECTORY, Cache, DamagedListingError, find_cache, is_intact
from mmx.dvc_state.lock import LOCK, Lock, parse_lock, read_lock
from mmx.engine.receipt import Receipt
from mmx.errors import UserError
from mmx.outputs import count_among, receipts_name, valid_receipts

COMMIT_FORMAT = "--format=%H%x00%aI%x00%s"
SILENT = "git: "
"""Message of a GitError where git printed none."""


class HistoryError(UserError):
    """A revision cannot be read, or DVC's cache lacks an object that it names."""


class GitError(HistoryError):
    """Git cannot answer; the message is git's own."""


class NoHistoryError(GitError):
    """There is no git program, no repository, or no commit."""


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

    lock: Lock
    cache: Cache
    commit: Commit | None = None
    """None for dvc.lock as it lies in the work tree."""

    @cached_property
    def outs(self) -> dict[str, str]:
        """md5 of each output by its path; that of a directory ends in .dir."""
        return self.lock.outs

    def listing(self, out: str) -> dict[str, str]:
        """Return the md5 of every file of an output directory by its path in it.

        Empty where dvc.lock does not name it; HistoryError where DVC's cache lacks the listing, or
        where the listing is damaged.
        """
        digest = self.outs.get(out)
        if digest is None:
            return {}
        try:
            return self.cache.listing(digest)
        except FileNotFoundError:
            where = f"commit {self.commit.sha[:10]}" if self.commit else "dvc.lock"
            raise HistoryError(
                f"DVC's cache does not have {out} as {where} names it: "
                "`dvc fetch --all-commits` gets it"
            ) from None
        except DamagedListingError:
            raise HistoryError(
                f"the listing of {out} in DVC's cache is damaged: `mmx repair`"
            ) from None

    def damaged_listings(self) -> Iterator[str]:
        """Yield every output directory whose listing in DVC's cache is damaged."""
        for out, digest in sorted(self.outs.items()):
            listing = self.cache.path(digest)
            if digest.endswith(DIRECTORY) and listing.exists() and not is_intact(listing):
                yield out

    def file(self, out: str, name: str) -> Path | None:
        """Return where DVC's cache keeps a file of an output directory, whether or not it is there.

        None where this version has no such file. Raise HistoryError like `listing`.
        """
        digest = self.listing(out).get(name)
        return self.cache.path(digest) if digest else None

    def receipt(self, out: str, item: str) -> Receipt | None:
        """Return an item's receipt in an output directory; None where this version has none."""
        path = self.file(out, receipts_name(item, count_among(self.listing(out))))
        return _cached_receipts(path).get(item) if path else None


@cache
def _cached_receipts(path: Path) -> dict[str, Receipt]:
    """Return the valid receipts of a file in DVC's cache, by item; its path gives its md5."""
    return valid_receipts(path)


@dataclass(frozen=True)
class History:
    """The versions of a project's outputs, as recorded by git and DVC."""

    root: Path
    """Top folder of the project."""

    @cached_property
    def cache(self) -> Cache | None:
        """DVC's local cache; None outside a DVC repository."""
        return find_cache(self.root)

    @property
    def now(self) -> Version | None:
        """What dvc.lock in the work tree names; None without it or outside a DVC repository."""
        if self.cache is None or not (self.root / LOCK).exists():
            return None
        return Version(read_lock(self.root), self.cache)

    def at(self, revision: str) -> Version:
        """Return the version at a revision of git.

        Raise HistoryError where git does not know it, or it has no dvc.lock; GitError where git
        cannot answer.
        """
        cache = self.cache
        if cache is None:
            raise HistoryError("the project is not a DVC repository, so it has no earlier versions")
        self.git("rev-parse", "--git-dir")
        try:
            sha = self.git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").strip()
        except GitError as error:
            # With --quiet, git says something only if it cannot read the repository.
            if str(error) != SILENT:
                raise
            raise HistoryError(self._unknown(revision)) from None
        commit = self.log("-1", sha)[0]
        lock = self.lock_at(commit)
        if lock is None:
            raise HistoryError(f"{revision!r} has no dvc.lock: no stage had run")
        return Version(lock, cache, commit)

    def _unknown(self, revision: str) -> str:
        """Return a sentence for a revision that git does not know."""
        if self.git("rev-parse", "--is-shallow-repository").strip() == "true":
            return f"{revision!r} is not in this shallow clone: `git fetch --unshallow`"
        return f"{revision!r} is not a revision of the project"

    @cached_property
    def commits(self) -> list[Commit]:
        """Commits that changed dvc.lock, newest first; none without git or DVC.

        Raise GitError where there is a repository that git cannot read.
        """
        if self.cache is None:
            return []
        try:
            return self.log("--", LOCK)
        except NoHistoryError:
            return []

    def versions(self, out: str) -> Iterator[Version]:
        """Yield one version for every change of an output, newest first, each by its oldest commit.

        That is the commit that introduced it.
        """
        held: Version | None = None
        for version in self.all_versions:
            if held is not None and version.outs.get(out) != held.outs.get(out):
                yield held
            held = version
        if held is not None:
            yield held

    @cached_property
    def all_versions(self) -> list[Version]:
        """The version at every commit that changed dvc.lock, newest first.

        Where a commit removed dvc.lock, the version is empty.
        """
        if self.cache is None:
            return []
        return [
            Version(self.lock_at(commit) or Lock(), self.cache, commit) for commit in self.commits
        ]

    def lock_at(self, commit: Commit) -> Lock | None:
        """Return dvc.lock as it was at a commit; None where it was not there."""
        if not self.git("ls-tree", "--name-only", commit.sha, "--", LOCK):
            return None
        return parse_lock(self.git("show", f"{commit.sha}:./{LOCK}"))

    def log(self, *arguments: str) -> list[Commit]:
        """Return the commits that `git log` lists."""
        lines = self.git("log", COMMIT_FORMAT, *arguments).splitlines()
        return [Commit(*line.split("\0")) for line in lines]

    def git(self, *arguments: str) -> str:
        """Return what git prints; raise GitError with its own message where it fails."""
        command = ["git", "-C", str(self.root), *arguments]
        environment = {**os.environ, "LC_ALL": "C"}
        try:
            done = subprocess.run(
                command, capture_output=True, encoding="utf-8", errors="replace", env=environment
            )
        except FileNotFoundError:
            raise NoHistoryError("git is not installed") from None
        if done.returncode == 0:
            return done.stdout
        message = " ".join(done.stderr.split()).removeprefix("fatal: ")
        if message.startswith("not a git repository"):
            raise NoHistoryError("the project is not in a git repository")
        if message.endswith("does not have any commits yet"):
            raise NoHistoryError(f"git: {message}")
        raise GitError(f"git: {message}")


@cache
def merged_locks(root: Path) -> list[Lock]:
    """Return dvc.lock of the other sides of the merge that is under way, or that HEAD is.

    Empty without one, and outside a git repository.
    """
    history = History(root)
    try:
        merging = history.git("rev-parse", "--git-path", "MERGE_HEAD").strip()
        heads = (root / merging).read_text().split() if (root / merging).exists() else None
        others = heads or history.git("rev-list", "--parents", "-n", "1", "HEAD").split()[2:]
        locks = [history.lock_at(Commit(sha, "", "")) for sha in others]
    except GitError:
        return []
    return [lock for lock in locks if lock]
