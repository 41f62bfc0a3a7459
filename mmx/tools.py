"""The versions of Python and of the packages that can affect results."""

import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import yaml

from mmx.engine.atomic import write_atomic
from mmx.errors import UserError
from mmx.yamlfile import YamlError, read_yaml

HEAD = """\
# Versions that have a part in results: parameters of the stages that they affect.
# Written by `mmx tools --write`; a stage refuses to run when it differs from what is installed.
"""


class ToolsError(UserError):
    """tools.yaml differs from what is installed."""


@cache
def _tool_version(name: str) -> str:
    """Return the version of a distribution, or of `python` (major.minor).

    Without what comes after a plus sign: PyTorch 2.14.1+cpu is the same release, another build.
    Raise ToolsError for a distribution that is not installed.
    """
    if name == "python":
        return f"{sys.version_info.major}.{sys.version_info.minor}"
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        raise ToolsError(f"{name} is not installed: run `make install`") from None


def tool_versions(names: Iterable[str]) -> dict[str, str]:
    """Return version by name, sorted by name."""
    return {name: _tool_version(name) for name in sorted(set(names))}


def write_tools(path: Path, names: Iterable[str]) -> None:
    """Write tools.yaml: what is installed, for DVC to compare."""
    text = HEAD + yaml.safe_dump(tool_versions(names), sort_keys=True)
    write_atomic(path, text.encode("utf-8"))


def check_tools(path: Path, names: Iterable[str]) -> None:
    """Raise ToolsError where tools.yaml names another version than the installed one."""
    try:
        written = read_yaml(path)
    except FileNotFoundError:
        raise ToolsError("mmx/tools.yaml is missing: run `mmx tools --write`") from None
    except YamlError as error:
        raise ToolsError(f"{error}: run `mmx tools --write`") from None
    if not isinstance(written, dict):
        raise ToolsError("mmx/tools.yaml does not name versions: run `mmx tools --write`")
    for name, installed in tool_versions(names).items():
        if written.get(name) != installed:
            raise ToolsError(
                f"mmx/tools.yaml says {name} {written.get(name)}, installed is {installed}: "
                "install what requirements.lock names (`make install`), or run `mmx tools --write` "
                "to take the new version; the stages that it affects will then run again"
            )
