"""Three versions of a table, merged by row and cell: its rows are known by their id."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Cell = TypeVar("Cell")


@dataclass(frozen=True)
class Merged(Generic[Cell]):
    """The merged rows, and where the two sides contradict each other."""

    rows: dict[str, dict[str, Cell]]
    conflicts: tuple[str, ...]
    """A sentence for each; the row is there as on our side."""


def merge_rows(
    base: Mapping[str, Mapping[str, Cell]],
    ours: Mapping[str, Mapping[str, Cell]],
    theirs: Mapping[str, Mapping[str, Cell]],
    empty: Cell,
) -> Merged[Cell]:
    """Merge rows by id: those of ours in their order, then those that only theirs has.

    A row that one side added or changed is as there; one that it removed is gone. Where both
    changed it, so is each cell. A conflict is a cell that both changed, differently, or a row that
    one removed and the other changed. empty: the value of a cell that a row lacks.
    """
    rows: dict[str, dict[str, Cell]] = {}
    conflicts: list[str] = []
    for name in dict.fromkeys((*ours, *theirs)):
        row, said = _merge_row(name, base.get(name), ours.get(name), theirs.get(name), empty)
        conflicts += said
        if row is not None:
            rows[name] = row
    return Merged(rows, tuple(conflicts))


def _merge_row(
    name: str,
    base: Mapping[str, Cell] | None,
    ours: Mapping[str, Cell] | None,
    theirs: Mapping[str, Cell] | None,
    empty: Cell,
) -> tuple[dict[str, Cell] | None, list[str]]:
    """Return the merged row, or None where it is gone, and its conflicts."""
    if ours is None or theirs is None:
        left = ours if theirs is None else theirs
        if base is None or left is None:
            return dict(left or {}), []
        if dict(left) == dict(base):
            return None, []
        return dict(left), [f"{name}: one side removed the row, the other changed it"]
    columns = list(dict.fromkeys((*ours, *theirs)))
    sides = (base or {}, ours, theirs)
    before, here, there = ({c: side.get(c, empty) for c in columns} for side in sides)
    cells = {c: _merge_cell(before[c], here[c], there[c]) for c in columns}
    conflicts = [
        f"{name}: {column} is {here[column]!r} here and {there[column]!r} there"
        for column, (_, clear) in cells.items()
        if not clear
    ]
    return {column: value for column, (value, _) in cells.items()}, conflicts


def _merge_cell(base: Cell, ours: Cell, theirs: Cell) -> tuple[Cell, bool]:
    """Return the merged cell, ours in a conflict, and whether it is clear."""
    if ours == theirs or theirs == base:
        return ours, True
    return (theirs, True) if ours == base else (ours, False)


def rows_by(key: str, rows: Sequence[Mapping[str, Cell]]) -> dict[str, Mapping[str, Cell]]:
    """Return rows by their id."""
    return {str(row[key]): row for row in rows}
