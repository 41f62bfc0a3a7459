"""Data for `dvc plots` as CSV: curves, histories and maps."""

import csv
from collections.abc import Sequence
from pathlib import Path

from mmx.evaluation.scores import Json, rounded
from mmx.evaluation.tables import Cell, read_json, to_csv
from mmx.training.load import HISTORY

CURVES = "precision_recall.csv"


def read_history(model: Path) -> list[Json]:
    """Return one record per epoch of a model's training."""
    epochs: list[Json] = read_json(model / HISTORY)["epochs"]
    return epochs


def write_history(path: Path, epochs: Sequence[Json]) -> None:
    """Write one row per epoch; missing figures are empty."""
    columns = list(dict.fromkeys(key for row in epochs for key in row))
    write_csv(path, columns, [[rounded(row.get(column)) for column in columns] for row in epochs])


def write_curves(path: Path, curves: Json) -> None:
    """Write precision-recall curves, a point per row; a curve has lists `recall`, `precision`."""
    points = [
        (genre, recall, precision)
        for genre, line in curves.items()
        for recall, precision in zip(line["recall"], line["precision"], strict=True)
    ]
    write_csv(path, ("genre", "recall", "precision"), points)


def read_curves(path: Path) -> Json:
    """Read the file of `write_curves`, in the same order."""
    curves: Json = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            line = curves.setdefault(row["genre"], {"recall": [], "precision": []})
            for name in line:
                line[name].append(float(row[name]))
    return curves


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Write a CSV file."""
    path.write_text(to_csv(columns, rows), encoding="utf-8")
