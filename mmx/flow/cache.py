"""Where compiled kernels are cached: between runs or, if no folder can be written, for one run."""

import atexit
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

import numba
from numba.core import config
from numba.core.dispatcher import Dispatcher

Function = TypeVar("Function", bound=Callable[..., object])


def cached_njit(function: Function) -> "Dispatcher[Function]":
    """Return `function` compiled at its first use and from then on found in numba's cache.

    Numba's cache looks only at the file of the function itself, and stumbles over types that an
    earlier version of the package had. So the function's name there holds a digest of the package.
    """
    cache_folder()
    function.__qualname__ = f"{function.__qualname__}.{_package_digest()[:16]}"
    return numba.njit(cache=True)(function)


@cache
def _package_digest() -> str:
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


@cache
def cache_folder() -> Path:
    """Return the folder in which numba keeps the kernels of this package.

    If no such folder can be written, as with read-only code and no home, a private one is made
    until this process ends. Processes started afterwards inherit it with the environment.
    """
    try:
        return _folder_in_use()
    except RuntimeError:
        folder = tempfile.mkdtemp(prefix="mmx-numba-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = folder
    config.reload_config()
    print(
        f"No folder for compiled code can be written: it goes to {folder} until this run ends "
        "(to keep it, name a folder in NUMBA_CACHE_DIR).",
        file=sys.stderr,
    )
    return _folder_in_use()


def _folder_in_use() -> Path:
    """Return the folder that numba chooses by a function's file; RuntimeError if there is none."""
    folder = numba.njit(cache=True)(_any_function).stats.cache_path
    assert folder is not None
    return Path(folder)


def _any_function() -> None:
    """Stand in for the kernels, whose files are beside this one."""
