"""data/duplicates.csv: the pairs that `mmx duplicates` found, with their evidence; in git."""

from collections.abc import Iterable
from pathlib import Path

from mmx.trailers.csvfile import Record, TableError, read_csv, write_csv
from mmx.trailers.duplicates import Pair
from mmx.trailers.likeness import Likeness

_EVIDENCE = ("correlation", "pictures", "speed", "offset_s", "shared_s")
"""Fields of `Likeness`, empty for pairs of another kind."""
COLUMNS = ("first", "second", "kind", *_EVIDENCE)
_DIGITS = 4


def write_pairs(path: Path, pairs: Iterable[Pair]) -> None:
    """Write the table."""
    write_csv(path, COLUMNS, map(_row, pairs))


def read_pairs(path: Path) -> list[Pair]:
    """Return the pairs of the table; none where there is no file. Raise TableError."""
    if not path.exists():
        return []
    return [_pair(path.name, each) for each in read_csv(path, COLUMNS, defused=True).records]


def _row(pair: Pair) -> dict[str, str]:
    values = vars(pair.likeness) if pair.likeness else {}
    evidence = {name: f"{values[name]:.{_DIGITS}f}" for name in _EVIDENCE if values}
    own = {"first": pair.first, "second": pair.second, "kind": pair.kind}
    return {**dict.fromkeys(COLUMNS, ""), **own, **evidence}


def _pair(table: str, record: Record) -> Pair:
    cells = record.values
    try:
        values = {name: float(cells[name]) for name in _EVIDENCE if cells[name]}
        likeness = Likeness(**values) if values else None
    except (TypeError, ValueError):
        raise TableError(
            f"{table}, row {record.row}, has no evidence that can be read: run `mmx duplicates`"
        ) from None
    return Pair(cells["first"], cells["second"], cells["kind"], likeness)
