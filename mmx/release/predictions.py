"""What both models say of every trailer, as tables with the genres' names, from evaluate's."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmx.engine.parquet import read_parquet
from mmx.errors import require_output
from mmx.project import Project
from mmx.release.tables import ITEM, MODEL, MODELS

_ORDER = [(ITEM, "ascending"), (MODEL, "ascending")]


def model_tables(project: Project) -> tuple[pa.Table, pa.Table]:
    """Return the tables `predictions` and `embeddings` of a project's two models.

    Raise NotMadeError where the models have not been evaluated.
    """
    layout = project.layout
    for path in (layout.predictions, layout.trailer_embeddings):
        require_output(layout.root, path.relative_to(layout.root).as_posix())
    predictions = _predictions(read_parquet(layout.predictions), project.params.evaluate.threshold)
    embeddings = _embeddings(read_parquet(layout.trailer_embeddings))
    first, second = (pa.concat_tables(each).sort_by(_ORDER) for each in (predictions, embeddings))
    return first, second


def _predictions(table: pa.Table, threshold: float) -> Iterator[pa.Table]:
    """Yield trailer_id, model, predicted, and a column of probabilities (float32) per genre.

    table: evaluate's, a row for each model, trailer and genre in this order.
    """
    genres = table["genre"].unique().to_pylist()
    for model in MODELS:
        rows = table.filter(pc.equal(table[MODEL], model))
        values = rows["probability"].to_numpy().reshape(-1, len(genres))
        predicted = [[genres[at] for at in np.flatnonzero(row)] for row in values > threshold]
        columns: dict[str, pa.Array] = {
            ITEM: rows[ITEM].combine_chunks()[:: len(genres)],
            MODEL: pa.array([model] * len(values)),
            "predicted": pa.array(predicted, pa.list_(pa.string())),
        }
        named = {g: pa.array(values[:, n].astype(np.float32)) for n, g in enumerate(genres)}
        yield pa.table(columns | named)


def _embeddings(table: pa.Table) -> Iterator[pa.Table]:
    """Yield trailer_id, model and embedding, a vector of float32.

    table: evaluate's, a row for each trailer and a column of vectors for each model; the models may
    differ in width.
    """
    for model in MODELS:
        vectors = table[model].combine_chunks().cast(pa.list_(pa.float32()))
        columns = (table[ITEM].combine_chunks(), pa.array([model] * len(table)), vectors)
        yield pa.table(dict(zip((ITEM, MODEL, "embedding"), columns, strict=True)))
