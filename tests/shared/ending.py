"""A program with workers that run for ever, each with a program of its own: to be ended by tests.

Called with a folder, in which every process leaves a file that has its number for a name.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mmx.engine.pools.ending import end_with_dvc
from mmx.engine.pools.local import map_items
from mmx.errors import report_errors


def run_for_ever(jobs: Sequence[int], folder: Path) -> list[int]:
    program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    for number in (os.getpid(), program.pid):
        (folder / str(number)).touch()
    time.sleep(600)
    return list(jobs)


if __name__ == "__main__":
    with report_errors():
        end_with_dvc()
        list(map_items(partial(run_for_ever, folder=Path(sys.argv[1])), [1, 2], workers=2))
