"""Outputs that DVC versions and git must not: which of them git tracks, or does not ignore."""

from collections.abc import Iterator
from pathlib import Path

import yaml

from mmx.dvc_state.history import GitError, History
from mmx.dvc_state.lock import load_yaml


def declared_outs(root: Path) -> list[str]:
    """Return the paths that dvc.yaml gives to DVC's cache, those of a family by their folder."""
    try:
        stages = load_yaml((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    except (FileNotFoundError, KeyError, TypeError, yaml.YAMLError):
        return []
    found = {path for stage in stages.values() for path in _cached_outs(stage.get("do", stage))}
    return sorted(found)


def _cached_outs(stage: dict[str, list[str | dict[str, dict[str, bool]]]]) -> Iterator[str]:
    """Yield a stage's outputs without those that stay in git (`cache: false`)."""
    for out in stage.get("outs", []):
        path, how = next(iter(out.items())) if isinstance(out, dict) else (out, {})
        if how.get("cache", True):
            yield path.partition("${")[0].rstrip("/")


def git_faults(root: Path) -> list[str]:
    """Return a sentence, with the remedy, for outputs that git tracks and for those it would add.

    DVC refuses to run a stage whose output git tracks. None outside a git repository.
    """
    outs = declared_outs(root)
    history = History(root)
    try:
        listed = history.git("ls-files", "-z", "--", *outs).split("\0") if outs else []
        tracked = [out for out in outs if any(_is_in(name, out) for name in listed if name)]
        ignored = _ignored(history, [name for out in outs for name in (out, f"{out}/any")])
        # A family's folder is ignored if what lies in it is.
        exposed = [out for out in outs if not {out, f"{out}/any"} & ignored]
    except GitError:
        return []
    return [*_told_tracked(tracked), *_told_exposed(exposed)]


def _told_tracked(outs: list[str]) -> Iterator[str]:
    if outs:
        yield (
            f"git tracks files of {', '.join(outs)}, which DVC versions: no stage that makes "
            f"them can run: `git rm -r --cached --quiet {' '.join(outs)}`, then commit"
        )


def _told_exposed(outs: list[str]) -> Iterator[str]:
    if outs:
        lines = " ".join(f"/{out}" for out in outs)
        yield (
            f".gitignore does not name {', '.join(outs)}, so `git add --all` would add the data: "
            f"`printf '%s\\n' {lines} >> .gitignore`"
        )


def _is_in(name: str, out: str) -> bool:
    return name == out or name.startswith(f"{out}/")


def _ignored(history: History, paths: list[str]) -> set[str]:
    """Return which of these paths git ignores, tracked or not."""
    try:
        return set(history.git("check-ignore", "--no-index", "--", *paths).splitlines())
    except GitError:
        # It fails where it ignores none of them.
        return set()
