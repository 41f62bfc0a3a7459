"""The paper's tables for this collection: written as files, and shown on the page."""

from collections.abc import Mapping
from pathlib import Path

from mmx.evaluation import tables
from mmx.evaluation.predictions import COARSE, FINE
from mmx.evaluation.tables import ResultTable, TrailerPrediction
from mmx.report.sources import Sources


def make_tables(sources: Sources) -> dict[str, ResultTable]:
    """Return tables 1 to 5 and section 4.4's similarities by name, including ablations."""
    measured = sources.evidence
    trailers = sources.archive.trailers.values()
    labels = [len(row["genres"]) for row in trailers]
    genres = len(measured.genres)
    frames = sum(row["frames"] or 0 for row in sources.archive.facts.values())
    made = (
        tables.dataset_table(frames, genres, labels),
        tables.genre_table(measured.rows, measured.deviations),
        tables.area_table(measured.areas, measured.deviations, genres, max(labels, default=None)),
        tables.change_table(_predictions(sources), sources.params.evaluate.threshold),
        tables.length_table(measured.lengths),
        tables.similarity_table(sources.similarity),
    )
    return {table.name: table for table in made}


def write_tables(folder: Path, made: Mapping[str, ResultTable]) -> None:
    """Write every table as CSV and JSON."""
    folder.mkdir(exist_ok=True)
    for table in made.values():
        tables.write_table(folder, table)


def _predictions(sources: Sources) -> list[TrailerPrediction]:
    """Both models' predictions for the trailers of the test split."""
    genres = sources.description.genres
    tested = [at for at, split in enumerate(sources.table["split"].to_pylist()) if split == "test"]
    films = [sources.films[at] for at in tested]
    return [
        TrailerPrediction(
            model, film.id, film.title, [genres[g] for g in film.genres], known[film.id]
        )
        for model in (COARSE, FINE)
        for known in [sources.probabilities(model)]
        for film in films
    ]
