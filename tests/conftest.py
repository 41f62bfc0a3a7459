"""Small items for all tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "shared"))

from items import make_ingredients, make_task, store

__all__ = ["make_ingredients", "make_task", "store"]
