"""The paper's tables with the numbers of this collection, and how tables are written.

A table has columns and rows in reading order, and is written as CSV and as JSON.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmx.evaluation.scores import Json

Cell = str | int | float | None
OVERALL = {
    "f1_weighted": ("f1", "weighted"),
    "ap_weighted": ("ap", "weighted"),
    "precision_weighted": ("precision", "weighted"),
    "recall_weighted": ("recall", "weighted"),
}
"""The last four columns of Table 2, also those of Table 5."""


@dataclass(frozen=True)
class ResultTable:
    """A table of results."""

    name: str
    """File name without its ending."""
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def records(self) -> list[dict[str, Cell]]:
        """Return one object per row."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def escape_formula(cell: Cell) -> Cell:
    """Put an apostrophe before text that a spreadsheet would take for a formula.

    A carriage return, which some readers take for the end of a row, becomes a space.
    """
    if not isinstance(cell, str):
        return cell
    risky = cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    return ("'" if risky else "") + cell.replace("\r", " ")


def to_csv(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Return CSV text with line feeds; None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([escape_formula(name) for name in columns])
    writer.writerows([[escape_formula(cell) for cell in row] for row in rows])
    return text.getvalue()


def write_table(folder: Path, table: ResultTable) -> None:
    """Write `<name>.csv` and `<name>.json` into an existing folder."""
    (folder / f"{table.name}.csv").write_text(to_csv(table.columns, table.rows), encoding="utf-8")
    (folder / f"{table.name}.json").write_text(to_json(table.records()), encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def to_json(data: Any) -> str:
    """Return JSON text that depends only on the data; ValueError for NaN."""
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def dataset_table(frames: int, genres: int, labels: Sequence[int]) -> ResultTable:
    """Table 1: this collection's row. `labels` has the number of genres of each trailer."""
    mean = round(sum(labels) / len(labels), 3) if labels else None
    trailers = len(labels)
    columns = ("name", "trailers", "frames", "genres", "genres_per_trailer", "genres_on_average")
    row = ("This collection", trailers, frames, genres, max(labels, default=None), mean)
    return ResultTable("table1", columns, (row,))


def genre_table(rows: Mapping[str, Json], deviations: Mapping[str, Json | None]) -> ResultTable:
    """Table 2: F1 per genre at the threshold, the four weighted figures, their uncertainty.

    That is the standard deviation over seeds, or the bounds of a bootstrap interval by film.

    Args:
        rows: records of `scores.score`, by the row's name; all over one vocabulary. `interval`, if
            a record has it, is of `intervals.score_interval`.
        deviations: records of the same shape, for rows that several seeds were trained for.
    """
    genres = list(next(iter(rows.values()))["per_genre"])
    columns = ("model", *genres, *_with_uncertainty(OVERALL))
    body = [_support_row(next(iter(rows.values())), genres)]
    body += [
        (
            name,
            *(record["per_genre"][g]["f1"] for g in genres),
            *_overall(record, deviations.get(name)),
        )
        for name, record in rows.items()
    ]
    return ResultTable("table2", columns, tuple(body))


def area_table(
    rows: Mapping[str, Json], deviations: Mapping[str, Json | None], genres: int, labels: int | None
) -> ResultTable:
    """Table 3: the three areas under the curve, those by trapezoids, standard deviations.

    `rows` and `deviations` as in `genre_table`.
    """
    order = [(q, a) for q in ("ap", "area") for a in ("macro", "micro", "weighted")]
    names = [f"{q}_{a}" for q, a in order]
    columns = ("method", "genres", "labels", *_with_uncertainty(names))
    body = [
        (name, genres, labels, *_figures(record, deviations.get(name), order))
        for name, record in rows.items()
    ]
    return ResultTable("table3", columns, tuple(body))


UNCERTAINTY = ("spread", "low", "high")
"""Endings of the columns of a standard deviation over seeds, and of a 95 % interval by film."""


def _with_uncertainty(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of figures, then those of their uncertainty."""
    names = tuple(names)
    return (*names, *(f"{name}_{ending}" for ending in UNCERTAINTY for name in names))


@dataclass(frozen=True)
class TrailerPrediction:
    """A trailer, its labels, and the probability of every genre by one model."""

    model: str
    trailer_id: str
    title: str
    labels: Sequence[str]
    probabilities: Mapping[str, float]

    def predicted(self, threshold: float) -> list[str]:
        """Return the genres with a probability above `threshold`, the most probable first."""
        ranked = sorted(self.probabilities, key=lambda genre: (-self.probabilities[genre], genre))
        return [genre for genre in ranked if self.probabilities[genre] > threshold]

    def added(self, threshold: float) -> list[str]:
        """Return the predicted genres that are not labels, the most probable first."""
        return [genre for genre in self.predicted(threshold) if genre not in self.labels]

    def dropped(self, threshold: float) -> list[str]:
        """Return the labels that are not predicted, the least probable first."""
        ranked = sorted(self.labels, key=lambda genre: (self.probabilities[genre], genre))
        return [genre for genre in ranked if self.probabilities[genre] <= threshold]


def change_table(predictions: Sequence[TrailerPrediction], threshold: float) -> ResultTable:
    """Table 4: how each model's genres differ from the labels, those surest of an addition first.

    A genre is predicted if its probability is above `threshold`. Trailers whose predicted genres
    are their labels are left out.
    """
    columns = (
        "model", "trailer_id", "title", "labels", "predicted", "added", "dropped", "surest_added",
    )  # fmt: skip
    rows = [
        (
            prediction.model,
            prediction.trailer_id,
            prediction.title,
            "|".join(prediction.labels),
            "|".join(prediction.predicted(threshold)),
            "|".join(added),
            "|".join(dropped),
            round(prediction.probabilities[added[0]], 6) if added else None,
        )
        for prediction in predictions
        for added, dropped in [(prediction.added(threshold), prediction.dropped(threshold))]
        if added or dropped
    ]
    rows.sort(key=lambda row: (row[0], -(row[-1] or 0.0), row[1]))
    return ResultTable("table4", columns, tuple(rows))


def length_table(rows: Mapping[int, tuple[Json, Json | None]]) -> ResultTable:
    """Table 5: weighted figures by sequence length; each entry is a record and its deviations."""
    columns = ("length", *_with_uncertainty(OVERALL))
    return ResultTable("table5", columns, tuple((n, *_overall(*rows[n])) for n in sorted(rows)))


def similarity_table(sets: Sequence[Json]) -> ResultTable:
    """Section 4.4: mean cosine similarity within each genre set, before and after."""
    columns = ("genres", "trailers", "before", "after")
    rows = (("|".join(s["genres"]), s["trailers"], s["before"], s["after"]) for s in sets)
    return ResultTable("similarity", columns, tuple(rows))


def _support_row(record: Json, genres: Sequence[str]) -> tuple[Cell, ...]:
    """The number of positives of each genre, an integer also if the record is a mean over seeds."""
    counts = (round(record["per_genre"][genre]["support"]) for genre in genres)
    return ("Support", *counts, *[None] * len(_with_uncertainty(OVERALL)))


def _overall(record: Json, deviation: Json | None) -> Iterator[Cell]:
    """The four weighted figures and their uncertainty."""
    return _figures(record, deviation, list(OVERALL.values()))


def _figures(
    record: Json, deviation: Json | None, order: Sequence[tuple[str, str]]
) -> Iterator[Cell]:
    """Figures of a record, then standard deviations, lower and upper bounds, as far as known."""
    for source in (record, deviation):
        yield from (None if source is None else source[q][a] for q, a in order)
    for bound in (0, 1):
        for quantity, average in order:
            found = record.get("interval", {}).get(quantity, {}).get(average)
            yield None if found is None else found[bound]
