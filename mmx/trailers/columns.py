"""What a column of the manifest is: one of mmx's own, or one that a team has added as text."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from mmx.trailers.csvfile import TableError

MOST_COLUMNS, LONGEST_NAME, LONGEST_CELL = 64, 64, 2000
"""Bounds of added columns: how many there may be, and letters of a name and of a cell."""
TEXT = pa.string()
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
"""The characters of Unicode's category Cc."""
_NAME = re.compile(rf"[a-z][a-z0-9_]{{0,{LONGEST_NAME - 1}}}")


@dataclass(frozen=True)
class Column:
    """A column in data/trailers.csv and data/trailers.parquet."""

    meaning: str
    """For the dataset card and the Croissant file."""
    type: pa.DataType | None = TEXT
    """In trailers.parquet; None for a column that stays in the manifest."""
    nullable: bool = False
    read: Callable[[str], Any] = str
    """Cell -> value."""
    check: Callable[[str], str] | None = None
    """Cell -> what is wrong with it, in words; nothing where it is sound. None: any text is."""


def one_line(text: str) -> str:
    """Return composed text (NFC) whose runs of white space and control characters are one space."""
    return " ".join(_CONTROL.sub(" ", composed(text)).split())


def composed(text: str) -> str:
    """Return text in composed form (NFC): a letter and its accent are one character."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def clipped(text: str) -> str:
    """Return text on one line, cut to LONGEST_CELL characters.

    >>> clipped(" Ridley   Scott "), len(clipped("long " * 1000)) <= LONGEST_CELL
    ('Ridley Scott', True)
    """
    line = one_line(text)
    return line if len(line) <= LONGEST_CELL else f"{line[: LONGEST_CELL - 1].rstrip()}…"


ADDED = Column("As the manifest has it.", read=clipped)
"""What is known of a column that a team has added."""


def check_added(file: str, names: Sequence[str]) -> None:
    """Raise TableError, which calls the table `file`, unless these added columns can be kept."""
    for name in names:
        if not _NAME.fullmatch(name):
            raise TableError(
                f"{file} has a column {name[:LONGEST_NAME]!r}: name a column of your own with a-z, "
                f"0-9 and _, a letter first, at most {LONGEST_NAME} of them"
            )
    if len(names) > MOST_COLUMNS:
        raise TableError(
            f"{file} has {len(names)} columns that mmx does not know, more than {MOST_COLUMNS}"
        )
