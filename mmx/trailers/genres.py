"""Genres of a trailer: a cell's words, and what they are in the collection's vocabulary."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from mmx.params import CollectionParams
from mmx.trailers.columns import composed
from mmx.trailers.quoting import quoted

LONGEST = 64
"""Characters of a genre that are compared with the vocabulary's."""
_SEPARATORS = re.compile("[,;/]")
"""What people put between genres in place of |."""
_WORD = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([^,]*))\s*(?:,|$)""")


def split_genres(text: str) -> tuple[str, ...]:
    """Return the genres of a cell: between |, or as a list in brackets, with quotes or without.

    >>> split_genres("Drama | War"), split_genres("['Drama', \\"War\\"]"), split_genres("[Drama]")
    (('Drama', 'War'), ('Drama', 'War'), ('Drama',))
    """
    text = composed(text).strip()
    parts = text.split("|")
    if text.startswith("[") and text.endswith("]"):
        parts = ["".join(found) for found in _WORD.findall(text[1:-1])]
    return tuple(part.strip() for part in parts if part.strip())


@dataclass(frozen=True)
class Genres:
    """A trailer's genres in the vocabulary."""

    known: tuple[str, ...]
    """In the manifest's order, aliases replaced, none twice."""
    dropped: tuple[str, ...]
    """Unknown ones that `collection.unknown_genres: drop` leaves out."""
    faults: tuple[str, ...]
    """Why the row is rejected, in words."""


def resolve_genres(genres: Sequence[str], params: CollectionParams) -> Genres:
    """Return a row's genres as `collection.genres`, `aliases` and `unknown_genres` have them."""
    named = dict.fromkeys(params.aliases.get(genre, genre) for genre in genres)
    known = tuple(genre for genre in named if genre in params.genres)
    unknown = tuple(genre for genre in named if genre not in params.genres)
    if params.unknown_genres == "drop":
        faults = [f"none of the genres {quoted('|'.join(unknown))} is in the vocabulary"]
        return Genres(known, unknown, tuple([] if known else faults) + _too_many(known, params))
    choice = (*params.genres, *params.aliases)
    faults = [_unknown(genre, choice) for genre in unknown[: params.max_labels]]
    return Genres(known, (), (*faults, *_too_many(named, params)))


def _too_many(genres: Collection[str], params: CollectionParams) -> tuple[str, ...]:
    many = f"there are {len(genres)} genres, more than {params.max_labels}"
    return (many,) if len(genres) > params.max_labels else ()


@lru_cache(maxsize=1 << 12)
def _unknown(genre: str, choice: tuple[str, ...]) -> str:
    near = _nearest_name(genre, choice)
    hint = f" (did you mean {near!r}?)" if near else ""
    parts = [part.strip() for part in _SEPARATORS.split(genre)]
    if len(parts) > 1 and set(parts) <= set(choice):
        hint = f" (write {'|'.join(parts)}: genres stand between |)"
    return f"genre {quoted(genre)} is not in the vocabulary{hint}"


def _nearest_name(text: str, choice: Sequence[str]) -> str:
    """Return the name that is most like `text`, whatever the case of either; or nothing."""
    wanted = text[:LONGEST].lower()
    # Comparing with every genre would take minutes where a million rows have odd ones.
    lower = {name.lower(): name for name in reversed(choice) if name[:1].lower() == wanted[:1]}
    near = get_close_matches(wanted, lower, n=1)
    return lower[near[0]] if near else ""
