"""The examples in docstrings are true."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import mmx

TOP = Path(mmx.__file__).parents[1]
WITH_EXAMPLES = [
    ".".join(path.relative_to(TOP).with_suffix("").parts)
    for path in sorted((TOP / "mmx").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_in_docstrings(name: str) -> None:
    failed, tried = doctest.testmod(import_module(name))
    assert tried and not failed
