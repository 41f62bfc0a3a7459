"""The commands of `mmx`: each parses its arguments, calls one function and prints the result."""

import os
import sys
from pathlib import Path

from mmx.encoding import use_utf8
from mmx.errors import report_errors
from mmx.layout import find_root


def main() -> None:
    """Run the command line with the project's own code; print an expected error as one sentence."""
    use_utf8()
    use_code_of(find_root(Path()))
    with report_errors():
        # Imported here: not needed where the code of another project takes over.
        from mmx.cli.app import run

        run()


def use_code_of(root: Path) -> None:
    """Restart with the code of the project in `root` if that is not the code that runs now.

    Commands and stages of a project then run the same code, whichever environment is active.
    A project that has no code of its own is handled by the installed code.
    """
    own, here = root / "mmx" / "__init__.py", Path(__file__).parents[1] / "__init__.py"
    if not own.is_file() or own.samefile(here):
        return
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-P", "-m", "mmx", *sys.argv[1:]]
    os.execve(sys.executable, command, {**os.environ, "PYTHONPATH": path})
