"""The commands of `mmx`: each parses, calls one function, prints."""

import os
import sys
from pathlib import Path

from mmx.errors import report_errors
from mmx.layout import find_root


def main() -> None:
    """Run the command line with the project's own code; an expected error is one sentence."""
    use_code_of(find_root(Path()))
    with report_errors():
        # Imported here: for another project's code none of it is needed.
        from mmx.cli.app import app

        app()


def use_code_of(root: Path) -> None:
    """Start again with the code of the project in `root` where that is not the code running now.

    So what commands say of a project and what its stages do is decided by the same code, whichever
    clone's environment is active. A project without code of its own is left to the code at hand.
    """
    own, here = root / "mmx" / "__init__.py", Path(__file__).parents[1] / "__init__.py"
    if not own.is_file() or own.samefile(here):
        return
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-P", "-m", "mmx", *sys.argv[1:]]
    os.execve(sys.executable, command, {**os.environ, "PYTHONPATH": path})
