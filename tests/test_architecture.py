"""docs/architecture.md says which packages there are and what each imports of the others."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import mmx
from mmx.engine.imports import imports_of

CODE = Path(mmx.__file__).parent
PAGE = CODE.parent / "docs" / "architecture.md"


def package_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def present() -> dict[str, set[str]]:
    """What each package imports of the others, by the code."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in CODE.rglob("*.py"):
        parts = path.relative_to(CODE.parent).with_suffix("").parts
        module = ".".join(part for part in parts if part != "__init__")
        package = package_of(module)
        found[package] |= {package_of(name) for name in imports_of(module)} - {package, ""}
    return {name: imported for name, imported in found.items() if name not in ("", "__main__")}


def documented() -> dict[str, set[str]]:
    """What each package imports of the others, by the page."""
    rows = re.findall(r"^\| `(\w+)` \|.*\|([^|]*)\|$", PAGE.read_text(), re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", imported)) for name, imported in rows}


def test_the_page_names_every_package_and_what_it_imports() -> None:
    assert documented() == present()


def test_engine_and_model_import_nothing_else_of_mmx() -> None:
    assert present()["engine"] == set() and present()["model"] == set()


def test_every_file_that_the_page_names_is_there() -> None:
    named = re.findall(r"`((?:\w+/)*\w+\.(?:py|md))`", PAGE.read_text())
    assert len(named) > 20
    missing = [
        name for name in named if not any((top / name).exists() for top in (CODE, CODE.parent))
    ]
    assert missing == []


def test_a_function_that_only_its_own_module_uses_is_private() -> None:
    top = CODE.parent
    texts = {
        path: path.read_text()
        for folder in ("mmx", "stages", "tests", "benchmarks", "scripts", "docs")
        for path in (top / folder).rglob("*")
        if path.suffix in (".py", ".md", ".jinja", ".js")
    }
    words = {path: set(re.findall(r"\w+", text)) for path, text in texts.items()}
    unused = [
        f"{path.relative_to(top)}: {node.name}"
        for path in CODE.rglob("*.py")
        if path.parent.name != "cli"  # commands are known by their decorators
        for node in ast.parse(texts[path]).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        if not any(node.name in found for other, found in words.items() if other != path)
    ]
    assert unused == []
