"""Text from tables as messages quote it: short, on one line, whatever it holds."""

from collections.abc import Iterable
from itertools import islice

LONGEST = 80
"""Characters of a quoted cell."""
MOST = 10
"""Entries of a list in a message."""


def quoted(text: str) -> str:
    """Return text in quotation marks with control characters escaped, cut to LONGEST characters.

    >>> quoted("a\\tb"), len(quoted("long " * 1000)) < 100
    ("'a\\\\tb'", True)
    """
    return repr(text) if len(text) <= LONGEST else f"{text[:LONGEST]!r}..."


def listed(words: Iterable[str], most: int = MOST, between: str = ", ") -> str:
    """Return the first words, each cut to a length that can be read, and how many more there are.

    >>> listed(map(str, range(5)), most=3)
    '0, 1, 2 and 2 more'
    """
    rest = iter(words)
    shown = [
        word if len(word) <= 4 * LONGEST else f"{word[: 4 * LONGEST]}..."
        for word in islice(rest, most)
    ]
    more = sum(1 for _ in rest)
    return between.join(shown) + (f" and {more} more" if more else "")
