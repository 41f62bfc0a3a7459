"""Which modules a module is made of."""

import sys
from pathlib import Path

import pytest

from mmx.engine.imports import imported_modules, imports_of, source_file

FILES = {
    "__init__.py": "",
    "top.py": "import pack.plain\nfrom pack.deep import inner\nfrom pack.deep.other import value\n",
    "plain.py": "import json\n",
    "late.py": "def f():\n    from pack import plain\n    return plain\n",
    "typed.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pack import plain\n"
    "else:\n    from pack import late\n",
    "loop.py": "from pack import back\n",
    "back.py": "from pack import loop\n",
    "packaged.py": "from pack.deep import NAME\n",
    "deep/__init__.py": "from pack.plain import *\nNAME = 1\n",
    "deep/inner.py": "",
    "deep/other.py": "from pack.neutral import tool\nvalue = 1\n",
    "neutral/__init__.py": "",
    "neutral/tool.py": "from pack import late\n",
}


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of small modules that can be found and is never imported."""
    for name, text in FILES.items():
        path = tmp_path / "pack" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    source_file.cache_clear()
    imports_of.cache_clear()


def test_what_is_imported_directly_or_not_counts() -> None:
    assert imported_modules(["pack.top"], ["pack.neutral"]) == (
        "pack.deep.inner",
        "pack.deep.other",
        "pack.plain",
        "pack.top",
    )


def test_nothing_is_executed() -> None:
    imported_modules(["pack.top"])
    assert not [name for name in sys.modules if name.startswith("pack.")]


def test_neutral_modules_and_what_they_import_do_not_count() -> None:
    assert "pack.late" in imported_modules(["pack.top"])
    assert "pack.late" not in imported_modules(["pack.top"], ["pack.neutral.tool"])
    assert imported_modules(["pack.neutral.tool"], ["pack.neutral"]) == ()


def test_an_import_inside_a_function_counts() -> None:
    assert imported_modules(["pack.late"]) == ("pack.late", "pack.plain")


def test_an_import_for_type_checkers_does_not_count() -> None:
    assert imports_of("pack.typed") == ("pack.late",)


def test_a_package_counts_where_something_comes_from_its_init() -> None:
    assert imported_modules(["pack.packaged"]) == ("pack.deep", "pack.packaged", "pack.plain")


def test_a_circle_ends() -> None:
    assert imported_modules(["pack.loop"]) == ("pack.back", "pack.loop")


def test_a_start_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"pack\.nothing"):
        imported_modules(["pack.nothing"])
