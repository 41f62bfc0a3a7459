"""How commands print: a table or a sentence for people, JSON for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_json(data: Any) -> None:
    """Print data, dataclasses included, as indented JSON."""
    print(json.dumps(data, indent=2, ensure_ascii=False, default=json_value))


def json_value(value: Any) -> Any:
    """Return what json cannot write by itself as something that it can."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows under a head; numbers to the right, None as a dash, nothing cut off."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        numeric = any(isinstance(row[number], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        # Titles and reasons come from strangers: Text is not searched for markup.
        table.add_row(*(Text(cell(value)) for value in row))
    Console(soft_wrap=False).print(table)


def cell(value: Any) -> str:
    """Return a table cell's text; control characters are shown, not obeyed."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))
