"""Small items that need no video: a number in, a row or a file out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmx.engine.receipt import Ingredients
from mmx.engine.run import Task
from mmx.engine.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def ingredients(number: int = 1, **changes: Any) -> Ingredients:
    values: dict[str, Any] = {
        "step": "double",
        "schema": 1,
        "inputs": {"number": str(number)},
        "parameters": {"double.factor": 2},
        "code": "c0de",
        "tools": {"python": "3.11"},
    }
    return Ingredients(**{**values, **changes})


@pytest.fixture
def make_ingredients() -> Callable[..., Ingredients]:
    return ingredients


@pytest.fixture
def make_task() -> Callable[..., Task]:
    def task(number: int, **arguments: Any) -> Task:
        return Task(f"item{number}", ingredients(number), {"number": number, **arguments})

    return task
