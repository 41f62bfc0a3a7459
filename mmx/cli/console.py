"""How commands print: a table or a sentence for people, JSON for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any


def print_json(data: Any) -> None:
    """Print data, dataclasses included, as indented JSON."""
    print(json.dumps(data, indent=2, ensure_ascii=False, default=json_value))


def json_value(value: Any) -> Any:
    """Convert dataclasses, paths, sets and tuples to types that json can write."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows below a header: numbers aligned right, None as a dash, nothing truncated."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        numeric = any(isinstance(row[number], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        # Titles and reasons are untrusted input: rich does not look for markup in Text.
        table.add_row(*(Text(cell(value)) for value in row))
    Console(soft_wrap=False).print(table)


def print_notes(notes: Sequence[str]) -> None:
    """Print what is amiss without being an error, a line each."""
    for note in notes:
        print(f"note: {note}")


_UNITS = (("days", 86400.0), ("hours", 3600.0), ("min", 60.0), ("s", 1.0))


def duration(seconds: float) -> str:
    """Return a time in the largest unit of which it is two or more; `0` for none."""
    if not seconds:
        return "0"
    name, unit = next((each for each in _UNITS if seconds >= 2 * each[1]), _UNITS[-1])
    return f"{_rounded(seconds / unit)} {name}"


def size(bytes_: float) -> str:
    """Return a size in decimal units: 1 MB is 10^6 bytes; `0` for none."""
    if not bytes_:
        return "0"
    steps = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("bytes", 1.0))
    name, unit = next((each for each in steps if bytes_ >= each[1]), steps[-1])
    return f"{_rounded(bytes_ / unit)} {name}"


def _rounded(value: float) -> str:
    """Return a value with two digits, or without decimals where it has more before the point."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def listed(names: Sequence[str], most: int = 5) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(cell, names[:most])) + more


def cell(value: Any) -> str:
    """Return the text of a table cell, with control characters escaped."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))
