"""The versions of the programs and packages that have a part in results."""

import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import yaml

from mmx.items.atomic import write_atomic

HEAD = """\
# Versions that have a part in results: parameters of the stages that they affect.
# Written by `mmx tools --write`; a stage refuses to run when it differs from what is installed.
"""


class ToolsError(Exception):
    """tools.yaml is not what is installed."""


@cache
def tool_version(name: str) -> str:
    """Return the version of a distribution, of `python` (major.minor), or of the `ffmpeg` program.

    Without what comes after a plus sign: PyTorch 2.14.1+cpu is the same release, built for less.
    Raise ToolsError for a distribution that is not installed.
    """
    if name == "python":
        return f"{sys.version_info.major}.{sys.version_info.minor}"
    if name == "ffmpeg":
        return ffmpeg_version()
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        raise ToolsError(f"{name} is not installed: run `make install`") from None


def ffmpeg_version() -> str:
    """Return the version that the ffmpeg program in use gives itself."""
    from mmx.media.program import ffmpeg_program

    command = [ffmpeg_program(), "-version"]
    first = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[
        0
    ]
    return first.removeprefix("ffmpeg version ").split(" ")[0]


def tool_versions(names: Iterable[str]) -> dict[str, str]:
    """Return version by name, sorted by name."""
    return {name: tool_version(name) for name in sorted(set(names))}


def write_tools(path: Path, names: Iterable[str]) -> None:
    """Write tools.yaml: what is installed, for DVC to compare."""
    text = HEAD + yaml.safe_dump(tool_versions(names), sort_keys=True)
    write_atomic(path, text.encode("utf-8"))


def check_tools(path: Path, names: Iterable[str]) -> None:
    """Raise ToolsError where tools.yaml names another version than the one that would be used."""
    try:
        written = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        raise ToolsError("mmx/tools.yaml is missing: run `mmx tools --write`") from None
    for name, installed in tool_versions(names).items():
        if written.get(name) != installed:
            raise ToolsError(
                f"mmx/tools.yaml says {name} {written.get(name)}, installed is {installed}: "
                "install what requirements.lock names (`make install`), or run `mmx tools --write` "
                "to take the new version; the stages that it affects will then run again"
            )
