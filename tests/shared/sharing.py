"""What is expensive to make is made once, by whichever test process asks first."""

import os
import pickle
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from filelock import FileLock

Made = TypeVar("Made")


def own_copy(factory: pytest.TempPathFactory, folder: Path, /) -> Path:
    """Return a copy of a folder for this process alone: same links within it, its own inodes."""
    target = factory.mktemp("own") / folder.name
    subprocess.run(["cp", "--archive", folder, target], check=True)
    return target


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Made], /) -> Made:
    """Return what `make` returned for a new folder, in this process or in another of this run.

    All processes get the same folder: nothing may write to it afterwards.
    """
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"once-{name}"
    result = folder.with_suffix(".pickle")
    with FileLock(folder.with_suffix(".lock")):
        if not result.exists():
            # What another process began and did not end.
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            result.write_bytes(pickle.dumps(make(folder)))
    made: Made = pickle.loads(result.read_bytes())
    return made
