"""What `mmx forget` cannot reach, each with the command that does."""

from collections.abc import Iterator

from mmx.forget.certificate import Unreached
from mmx.forget.manifest import ManifestPart
from mmx.forget.places import Places, git
from mmx.forget.traces import Traces
from mmx.release.register import folder_of


def unreached(places: Places, traces: Traces, part: ManifestPart) -> Iterator[Unreached]:
    """Yield what may still have something of the trailers."""
    for original in part.originals:
        yield Unreached("the original that a link in data/videos led to", f"rm '{original}'")
    yield from _in_git(places, traces)
    yield from _elsewhere(places)
    yield from _releases(places)


def _in_git(places: Places, traces: Traces) -> Iterator[Unreached]:
    """Yield earlier commits: the rows of the manifest are in them."""
    root = places.root
    for trailer in sorted(traces.ids):
        if git(root, "log", "--all", "--oneline", "-1", "-S", trailer, "--", "data"):
            yield Unreached(
                f"git's history has rows of {trailer}",
                "git filter-repo --replace-text <(git log --all -p -- data/trailers.csv | "
                f"grep -h '^[-+].*{trailer}' | cut -c2- | sort -u), then push with --force",
            )


def _elsewhere(places: Places) -> Iterator[Unreached]:
    """Yield other checkouts of the repository, and remotes of git, from which there may be more."""
    root = places.root
    trees = git(root, "worktree", "list", "--porcelain").splitlines()
    for line in trees[1:]:
        if line.startswith("worktree "):
            folder = line.removeprefix("worktree ")
            yield Unreached(f"the git worktree {folder}", f"git worktree remove --force '{folder}'")
    for path in sorted((root / ".dvc" / "tmp" / "exps").glob("tmp*")):
        yield Unreached("the folder of an experiment", f"rm -r '{path}'")
    for remote in git(root, "remote").split():
        address = git(root, "remote", "get-url", remote)
        yield Unreached(
            f"other clones of {address}: in each, after `git pull`",
            "mmx verify --forgotten, then mmx forget ID --reason TEXT",
        )


def _releases(places: Places) -> Iterator[Unreached]:
    """Yield releases that lie elsewhere."""
    for entry in places.releases:
        if not folder_of(places.root, entry).exists():
            yield Unreached(
                f"release {entry.version} is not at {entry.folder}",
                "put it back there, and run mmx forget again",
            )
        if entry.hub:
            yield Unreached(
                f"release {entry.version} on the hub, {entry.hub}, and its earlier commits",
                f"mmx publish --to hub --repo {entry.hub} --version {entry.version}, then "
                f"HfApi().super_squash_history('{entry.hub}', repo_type='dataset')",
            )
