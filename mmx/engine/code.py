"""The digest of the code that makes a result: what it does, not how it is laid out or explained."""

import ast
import importlib.util
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from mmx.engine.canonical import data_digest


def code_digest(rooms: Iterable[str]) -> str:
    """Return one digest for the modules and packages named in `rooms`, e.g. `mmx.media`.

    A comment, a docstring or a blank line changes nothing; any other change of any module in a
    room does. Raise ModuleNotFoundError for a room that does not exist.
    """
    files = {name: source_digest(path) for room in rooms for name, path in room_files(room)}
    return data_digest(files)


@cache
def room_files(room: str) -> tuple[tuple[str, Path], ...]:
    """Return (module name, file) of a module, or of every module below a package."""
    spec = importlib.util.find_spec(room)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no module named {room!r}", name=room)
    origin = Path(spec.origin)
    if spec.submodule_search_locations is None:
        return ((room, origin),)
    folder = origin.parent
    return tuple(
        (module_name(room, path.relative_to(folder)), path) for path in sorted(folder.rglob("*.py"))
    )


def module_name(room: str, path: Path) -> str:
    """Return the dotted name of the module at `path` below the package `room`."""
    parts = path.with_suffix("").parts
    return ".".join((room, *(parts[:-1] if parts[-1] == "__init__" else parts)))


@cache
def source_digest(path: Path) -> str:
    """Return the digest of a source file's syntax tree without its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        drop_docstrings(node)
    return data_digest(ast.dump(tree))


def drop_docstrings(node: ast.AST) -> None:
    """Remove from a body, in place, every bare string: docstrings of functions and of fields."""
    body = getattr(node, "body", None)
    if isinstance(body, list):
        node.body = [line for line in body if not is_bare_string(line)]  # type: ignore[attr-defined]


def is_bare_string(node: ast.AST) -> bool:
    """Say whether `node` is a string that stands alone as a statement."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
