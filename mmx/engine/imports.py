"""Which modules of a package a module imports, directly or not."""

import ast
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from mmx.engine.parsed import noted


def imported_modules(starts: Iterable[str], neutral: Collection[str] = ()) -> tuple[str, ...]:
    """Return the modules named in `starts` and all that they import of their package, sorted.

    Imports inside functions count, those under TYPE_CHECKING do not. A package's own `__init__`
    counts where something is imported from it. neutral: modules and packages that do not affect
    results, such as bookkeeping; they and their imports are left out. Nothing is
    executed. Raise ModuleNotFoundError for a start that does not exist.
    """
    found: set[str] = set()
    waiting = list(starts)
    for start in waiting:
        if source_file(start) is None:
            raise ModuleNotFoundError(f"no module named {start!r}", name=start)
    while waiting:
        name = waiting.pop()
        if name not in found and not _is_below(name, neutral):
            found.add(name)
            waiting += imports_of(name)
    return tuple(sorted(found))


def _is_below(name: str, packages: Iterable[str]) -> bool:
    """Say whether a module is one of these packages and modules, or lies in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@cache
def source_file(name: str) -> Path | None:
    """Return the file of a module or of a package's `__init__`; None where there is none."""
    top, *parts = name.split(".")
    spec = find_spec(top)
    if spec and spec.origin and not spec.submodule_search_locations:
        return Path(spec.origin) if not parts else None
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder).joinpath(*parts)
        for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
            if file.is_file():
                return file
    return None


@cache
def imports_of(name: str) -> tuple[str, ...]:
    """Return the modules of its own package that a module imports directly."""
    path = source_file(name)
    if path is None:
        return ()
    top, text = name.partition(".")[0], path.read_text(encoding="utf-8")
    statements = noted("imports", text, lambda: _statements(text))
    named = (module for statement in statements for module in _modules_in(*statement))
    return tuple(sorted({module for module in named if module.split(".")[0] == top}))


def _statements(text: str) -> list[tuple[str, list[str]]]:
    """Return (module, names that are imported from it) of each import; no names for a module."""
    found = [_imported(node) for node in _running(ast.parse(text))]
    return [each for statements in found for each in statements]


def _imported(node: ast.AST) -> list[tuple[str, list[str]]]:
    if isinstance(node, ast.Import):
        return [(alias.name, []) for alias in node.names]
    if not isinstance(node, ast.ImportFrom) or node.level or not node.module:
        return []
    return [(node.module, [alias.name for alias in node.names])]


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that are executed: all but blocks under TYPE_CHECKING."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        checking = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        waiting += node.orelse if checking else ast.iter_child_nodes(node)  # type: ignore[attr-defined]


def _modules_in(module: str, names: list[str]) -> list[str]:
    """Return the modules that an import statement loads of their package."""
    below = [f"{module}.{name}" for name in names]
    modules = [name for name in below if source_file(name)]
    # A name imported from a package that is not a module of it comes from its __init__.
    return modules if below and len(modules) == len(below) else [module, *modules]
