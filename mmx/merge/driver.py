"""Git's merge drivers of a project: .gitattributes names them, `mmx init` installs them."""

import shlex
import sys
from pathlib import Path

from mmx.dvc_state.history import GitError, History
from mmx.errors import UserError
from mmx.merge.lock import merge_lock
from mmx.merge.manifest import merge_manifest

DRIVER = "mmx"
"""Name of the driver, as .gitattributes has it."""


class MergeConflictError(UserError):
    """Two sides contradict each other; what is written is ours, and git knows of the conflict."""


def install_drivers(root: Path) -> bool:
    """Let git merge the project's files by mmx; say whether there is a repository to do so in."""
    command = f"{shlex.quote(sys.executable)} -m mmx merge %O %A %B %P"
    try:
        history = History(root)
        history.git("config", f"merge.{DRIVER}.name", "rows by id, dvc.lock by stage")
        history.git("config", f"merge.{DRIVER}.driver", command)
    except GitError:
        return False
    return True


def merge_file(root: Path, base: Path, ours: Path, theirs: Path, name: str) -> None:
    """Merge three versions of the file `name` into `ours`; raise MergeConflictError for conflicts.

    Raise TableError or LockMergeError where a version cannot be read.
    """
    is_lock = Path(name).name == "dvc.lock"
    merged = merge_lock(root, base, ours, theirs) if is_lock else merge_manifest(base, ours, theirs)
    if merged:
        said = "; ".join(merged)
        raise MergeConflictError(
            f"{name}: {said}. Our side is written: edit it if need be, then `git add {name}`"
        )
