"""A table of facts about trailers that no training saw, tried on the spaces of a project."""

from collections.abc import Sequence
from pathlib import Path

from mmx.errors import UserError
from mmx.evaluation.probes import Finding, Values, probe_spaces
from mmx.evaluation.subject import read_subject
from mmx.project import Project
from mmx.trailers.csvfile import read_csv

KEY = "trailer_id"


class ProbeError(UserError):
    """The table has no probe, names a trailer twice, or none that has a split."""


def try_probes(project: Project, table: Path, *, permutations: int = 1000) -> list[Finding]:
    """Try every column of a CSV table on the untrained and the trained spaces of a project.

    Args:
        project: its models are trained.
        table: columns trailer_id and one per probe (franchise, director, language, tags ...);
            several values of a cell are separated by |, an empty cell is unknown.
        permutations: of the values, for chance.

    Raises:
        TableError: the file is no such table.
        ProbeError: it has no probe, names a trailer twice, or none of the collection.
        CollectionError: features and models do not match.
    """
    layout = project.layout
    subject = read_subject(
        features=layout.features,
        trailers=layout.trailers,
        splits=layout.splits,
        coarse=layout.coarse,
        fine=layout.fine,
        params=project.params.evaluate,
    )
    return probe_spaces(subject, read_probes(table, subject.ids), permutations=permutations)


def read_probes(table: Path, trailers: Sequence[str]) -> dict[str, Values]:
    """Return each probe's values of these trailers; rows of other trailers are left out.

    Raise TableError or ProbeError as `try_probes` does.
    """
    read = read_csv(table, [KEY], defused=True)
    names = [name for name in read.columns if name != KEY]
    if not names:
        raise ProbeError(f"{table.name} has no column beside {KEY}: each other column is a probe")
    rows: dict[str, dict[str, str]] = {}
    for record in read.records:
        trailer = record.values[KEY]
        if record.fault or trailer in rows:
            why = record.fault or f"{KEY} {trailer} is there twice"
            raise ProbeError(f"{table.name}, row {record.row}: {why}")
        rows[trailer] = record.values
    if rows.keys().isdisjoint(trailers):
        raise ProbeError(f"{table.name} names no trailer that has a split: see data/splits.parquet")
    return {name: [_values(rows.get(trailer, {}).get(name, "")) for trailer in trailers]
            for name in names}  # fmt: skip


def _values(cell: str) -> frozenset[str]:
    """Return the values of a cell."""
    return frozenset(value.strip() for value in cell.split("|") if value.strip())
