"""Which source files of a step have changed since its last results were committed."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mmx.dvc_state.history import GitError, History
from mmx.engine.code import source_digest, text_digest
from mmx.engine.imports import source_file
from mmx.pipeline.ingredients import step_modules
from mmx.pipeline.step import ItemStep


@dataclass(frozen=True)
class ChangedFile:
    """A source file whose code differs from that of an earlier commit."""

    path: str
    """Relative to the top of the repository."""
    commit: str
    """The last commit that changed it (id, date, subject); empty if the change is not committed."""


def changed_files(step: ItemStep, root: Path, since: str) -> list[ChangedFile]:
    """Return the files of a step's code that differ from those of the commit `since`.

    A file whose code is under another name in that commit was only moved, and is left out. Empty
    if git does not know the commit.
    """
    before = _code_at(root, since)
    if not before:
        return []
    paths = [path for name in step_modules(step) if (path := source_file(name))]
    changed = [path for path in paths if source_digest(path) not in before]
    return [ChangedFile(_name(path, root), _last_commit(path, root, since)) for path in changed]


def _code_at(root: Path, commit: str) -> set[str]:
    """Return the digest of every source file of the package at a commit."""
    listed = _git(root, "ls-tree", "-r", "--name-only", commit, "--", "mmx").splitlines()
    names = [name for name in listed if name.endswith(".py")]
    texts = (_git(root, "show", f"{commit}:./{name}") for name in names)
    return {digest for text in texts if (digest := _digest(text))}


def _digest(text: str) -> str:
    try:
        return text_digest(text, "mmx")
    except SyntaxError:
        return ""


def _last_commit(path: Path, root: Path, since: str) -> str:
    """Return the last commit after `since` that changed a file; empty with uncommitted edits."""
    if _git(root, "status", "--porcelain", "--", str(path)).strip():
        return ""
    return _git(root, "log", "-1", "--format=%h %as %s", f"{since}..HEAD", "--", str(path)).strip()


def present_commit(root: Path) -> str:
    """Return the commit that is checked out, with + if files differ from it; empty without git."""
    head = _git(root, "rev-parse", "HEAD").strip()
    dirty = _git(root, "status", "--porcelain", "--untracked-files=no").strip()
    return f"{head}+" if head and dirty else head


def describe(files: Iterable[ChangedFile]) -> list[str]:
    """Return a line for each file with the commit that changed it."""
    return [f"{file.path} ({file.commit or 'not committed yet'})" for file in files]


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _git(root: Path, *arguments: str) -> str:
    """Return what git prints; an empty string if it fails."""
    try:
        return History(root).git(*arguments)
    except GitError:
        return ""
