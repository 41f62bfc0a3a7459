"""Types of parameters with their bounds: no infinity, no size that no machine has, plain names."""

import unicodedata
from collections import Counter
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field


def _not_a_switch(value: object) -> object:
    """Refuse `yes` and `true` where a number is meant: Python would take them for 1."""
    if isinstance(value, bool):
        raise ValueError("it should be a number, not yes or no")
    return value


NUMBER = BeforeValidator(_not_a_switch)
Fraction01 = Annotated[float, NUMBER, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, NUMBER, Field(gt=0.0, ge=1e-12, le=1e6)]
Count = Annotated[int, NUMBER, Field(ge=1, le=1 << 53)]
Size = Annotated[int, NUMBER, Field(ge=1, le=1_000_000)]
"""How many of something that takes memory or time."""
Natural = Annotated[int, NUMBER, Field(ge=0, le=1_000_000)]
Width = Annotated[int, NUMBER, Field(ge=1, le=1 << 16)]
"""Of a layer or of a picture."""
Seed = Annotated[int, NUMBER, Field(ge=0, lt=1 << 32)]
"""What every generator of random numbers takes."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""Becomes a part of the names of files and stages."""
_MOST_GENRES, _LONGEST_GENRE = 1000, 64
"""Genres in the vocabulary, and characters of one."""


def _vocabulary(genres: tuple[str, ...]) -> tuple[str, ...]:
    """Return the genres with their accents composed, as those of the manifest are."""
    composed = tuple(unicodedata.normalize("NFC", genre) for genre in genres)
    if not 0 < len(composed) <= _MOST_GENRES:
        raise ValueError(f"there are {len(composed)} genres, not between 1 and {_MOST_GENRES}")
    odd = [genre for genre in composed if not _is_genre(genre)]
    if odd:
        raise ValueError(
            f"the genre {odd[0][:_LONGEST_GENRE]!r} is not one to {_LONGEST_GENRE} characters "
            "on one line, without | and without spaces around it"
        )
    doubled = [genre for genre, count in Counter(composed).items() if count > 1]
    if doubled:
        raise ValueError(f"the genre {doubled[0]!r} is there twice")
    return composed


def _is_genre(text: str) -> bool:
    """Say whether a text can be a genre: cells of the manifest hold several, with | between."""
    plain = text == " ".join(text.split()) and text.isprintable() and "|" not in text
    return plain and 0 < len(text) <= _LONGEST_GENRE


Vocabulary = Annotated[tuple[str, ...], AfterValidator(_vocabulary)]
"""Genres: different ones, at least one."""
