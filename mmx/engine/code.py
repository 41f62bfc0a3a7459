"""The digest of the code that makes a result: of what it does, not of layout or comments."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

from mmx.engine.canonical import bytes_digest, data_digest
from mmx.engine.parsed import noted
from mmx.engine.syntax import Link, dump, essence

PACKAGE = __name__.partition(".")[0]
"""The package whose modules may move without a change of digest, where none is named."""


@dataclass(frozen=True)
class Code:
    """The parts of a source text that count."""

    digest: str
    """Digest of what it does, wherever the modules of its package lie."""
    links: tuple[Link, ...]
    """The modules of its package that it uses, in the order in which it names them."""


def code_digest(modules: Iterable[str]) -> str:
    """Return one digest for the modules and packages named, e.g. `mmx.media`.

    A module that is moved or renamed changes nothing, nor does one without code; importing the same
    name from another module is a change. Raise ModuleNotFoundError for a name that is not a module.
    """
    files = dict(file for name in modules for file in module_files(name))
    codes = {name: read_code(path, name.partition(".")[0]) for name, path in files.items()}
    empty = text_digest("")
    counted = (name for name, code in codes.items() if code.digest != empty)
    return data_digest(sorted(_in_context(name, files[name], codes) for name in counted))


def source_digest(path: Path) -> str:
    """Return the digest of a source file, whatever its place and its name."""
    return read_code(path).digest


def text_digest(source: str, package: str = PACKAGE) -> str:
    """Return the digest of a source text; modules of `package` may move without changing it.

    Which of these modules an import names is not in it: `code_digest` adds that.
    """
    return code_of(source, package).digest


@cache
def module_files(name: str) -> tuple[tuple[str, Path], ...]:
    """Return (module name, file) of a module, or of every module below a package."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no module named {name!r}", name=name)
    origin = Path(spec.origin)
    if spec.submodule_search_locations is None:
        return ((name, origin),)
    folder = origin.parent
    return tuple(
        (_module_name(name, path.relative_to(folder)), path)
        for path in sorted(folder.rglob("*.py"))
    )


def _module_name(package: str, path: Path) -> str:
    """Return the dotted name of the module at `path` below `package`."""
    parts = path.with_suffix("").parts
    return ".".join((package, *(parts[:-1] if parts[-1] == "__init__" else parts)))


def _in_context(name: str, path: Path, codes: dict[str, Code]) -> list[str]:
    """Return the digest of a module and what its links lead to among `codes`."""
    home = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return [codes[name].digest, *(_target(link, home, codes) for link in codes[name].links)]


def _target(link: Link, home: str, codes: dict[str, Code]) -> str:
    """Return the digest of the module that a link in the package `home` leads to.

    A module that is not among `codes` does not affect the result: it may be imported from
    anywhere. A string that names none of them may be something else than a module: it counts.
    """
    module = resolve_name(link.module, home)
    for name in (f"{module}.{link.name}", module):
        if name in codes:
            return codes[name].digest
    return "" if link.name else module


@cache
def read_code(path: Path, package: str = PACKAGE) -> Code:
    """Return what counts of a source file as this process first found it."""
    return code_of(path.read_text(encoding="utf-8"), package)


def code_of(source: str, package: str = PACKAGE) -> Code:
    """Return what counts of a source text whose own package is `package`."""
    digest, *links = noted(f"code {package}", source, lambda: _essence(source, package))
    return Code(digest, tuple(Link(module, name) for module, name in links))


def _essence(source: str, package: str) -> list[Any]:
    """Return the digest of what counts of a text, then (module, name) of each link."""
    tree, links = essence(source, package)
    return [bytes_digest(dump(tree).encode()), *([link.module, link.name] for link in links)]
