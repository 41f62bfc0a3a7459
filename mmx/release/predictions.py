"""What both models say of every trailer, as tables with the genres' names."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from mmx.evaluation.scores import sigmoid
from mmx.evaluation.subject import Subject, read_subject
from mmx.project import Project

_ORDER = [("trailer_id", "ascending"), ("model", "ascending")]


def model_tables(project: Project) -> tuple[pa.Table, pa.Table]:
    """Return the tables `predictions` and `embeddings` of a project's two models.

    Raise CollectionError where features and models do not match.
    """
    layout, params = project.layout, project.params.evaluate
    subject = read_subject(
        features=layout.features,
        trailers=layout.trailers,
        splits=layout.splits,
        coarse=layout.coarse,
        fine=layout.fine,
        params=params,
    )
    return _predictions_of(subject), _embeddings_of(subject)


def _predictions_of(subject: Subject) -> pa.Table:
    """Return trailer_id, model, predicted, and a column of probabilities (float32) per genre."""
    return pa.concat_tables(_predictions(subject)).sort_by(
        [("trailer_id", "ascending"), ("model", "ascending")]
    )


def _predictions(subject: Subject) -> Iterator[pa.Table]:
    for model, embedded in subject.embedded.items():
        values = sigmoid(embedded.logits)
        above = values > subject.params.threshold
        predicted = [[subject.genres[at] for at in np.flatnonzero(row)] for row in above]
        columns: dict[str, pa.Array] = {
            "trailer_id": pa.array(subject.ids),
            "model": pa.array([model] * len(subject.ids)),
            "predicted": pa.array(predicted, pa.list_(pa.string())),
        }
        genres = {
            g: pa.array(values[:, n].astype(np.float32)) for n, g in enumerate(subject.genres)
        }
        yield pa.table(columns | genres)


def _embeddings_of(subject: Subject) -> pa.Table:
    """Return trailer_id, model and embedding, a vector of float32."""
    tables = [
        pa.table(
            {
                "trailer_id": pa.array(subject.ids),
                "model": pa.array([model] * len(subject.ids)),
                "embedding": pa.array(
                    list(embedded.trailer.astype(np.float32)),
                    pa.list_(pa.float32(), embedded.trailer.shape[1]),
                ),
            }
        )
        for model, embedded in subject.embedded.items()
    ]
    return pa.concat_tables(tables).sort_by(_ORDER)
