"""A pause for Python's search for cycles, where nothing it could free is made."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_cycle_search() -> Iterator[None]:
    """Do not look for cycles of references inside; also a decorator.

    For bookkeeping over thousands of receipts, which all stay: going through them again and again
    takes half of its time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
