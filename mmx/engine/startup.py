"""What a process leaves out when it starts."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _WithoutPandas(MetaPathFinder):
    """Finds no pandas."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise ModuleNotFoundError for pandas; leave all others to the finders that follow."""
        if fullname == "pandas":
            raise ModuleNotFoundError("No module named 'pandas'", name="pandas")
        return None


def spare_pandas() -> None:
    """Have PyArrow do without pandas in this process; it stays importable for others.

    Otherwise PyArrow loads it, a quarter of a second, when it is given its first list, to see
    whether that is a pandas object. It looks for pandas once and remembers the answer.
    """
    if "pandas" in sys.modules:
        return
    import pyarrow

    finder = _WithoutPandas()
    sys.meta_path.insert(0, finder)
    try:
        pyarrow.array([0])
    finally:
        sys.meta_path.remove(finder)
