"""All numbers of the report, as one item: embeddings, metrics, tables, plots.

    trailer_embeddings.parquet   trailer_id, split, coarse, fine: one row per trailer of the split
    predictions.parquet          trailer_id, model, genre, probability: of every model and baseline
    sequence_predictions.parquet the same per sequence, with its times
    clip_predictions.parquet     the same per clip
    metrics.json                 every metric, per split, with intervals and baselines; all spaces
    summary/*.json               the main metrics for `dvc metrics`, one row per file
    explorer.parquet             per trailer: places, clusters, neighbours, probabilities
    similarity.json              section 4.4: cosine similarity within each genre set
    plots/*.csv                  what `dvc plots` draws

Titles are not read: correcting one causes no new evaluation.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mmx.engine.parquet import write_parquet
from mmx.evaluation import clusters, plots, predictions, retrieval, scores, tables
from mmx.evaluation.measures import measure, summarise
from mmx.evaluation.partition import find_clusters
from mmx.evaluation.scores import Json
from mmx.evaluation.subject import Subject, read_subject
from mmx.features.read import read_table
from mmx.params import EvaluateParams

EMBEDDINGS, EXPLORER = "trailer_embeddings.parquet", "explorer.parquet"
PREDICTIONS, SEQUENCES = "predictions.parquet", "sequence_predictions.parquet"
CLIPS = "clip_predictions.parquet"
METRICS, SIMILARITY, SUMMARY = "metrics.json", "similarity.json", "summary"

FLOATS = pa.list_(pa.float32())
Spans = tuple[np.ndarray, np.ndarray]


def evaluate_item(
    *,
    features: Path,
    trailers: Path,
    splits: Path,
    coarse: Path,
    fine: Path,
    params: EvaluateParams,
    out: Path,
) -> dict[str, int | float | None]:
    """Evaluate both models on every trailer that has a split; write the files named above.

    Args:
        features: folder of the feature store.
        trailers: trailers.parquet; its titles are not read.
        splits: splits.parquet.
        coarse: folder of the coarse model.
        fine: folder of the fine-tuned model.
        params: threshold, neighbours, map.
        out: an empty folder.

    Returns:
        Number of trailers evaluated and tested, and the weighted AU(PRC) of the test.

    Raises:
        CollectionError: features and models do not match.
    """
    subject = read_subject(
        features=features, trailers=trailers, splits=splits, coarse=coarse, fine=fine, params=params
    )
    predicted = predictions.predict_genres(subject)
    metrics = measure(subject, predicted)
    clips = _clip_seconds(subject, features)
    spans = _sequence_seconds(subject, clips)
    explorer = _explorer_table(subject, spans)
    (out / METRICS).write_text(tables.to_json(metrics), encoding="utf-8")
    _write_summary(out / SUMMARY, metrics)
    pq.write_table(_embedding_table(subject), out / EMBEDDINGS, compression="zstd")
    pq.write_table(explorer, out / EXPLORER, compression="zstd")
    write_parquet(predictions.trailer_table(subject, predicted), out / PREDICTIONS)
    write_parquet(predictions.sequence_table(subject, spans), out / SEQUENCES)
    write_parquet(predictions.clip_table(subject, clips), out / CLIPS)
    (out / SIMILARITY).write_text(tables.to_json(_similarity_rows(subject)), encoding="utf-8")
    _write_plots(out / "plots", subject, explorer, coarse, fine)
    tested = metrics["splits"]["test"]["coarse"]
    return {
        "trailers": len(subject.ids),
        "tested": tested["trailers"],
        "test_ap_weighted": tested["ap"]["weighted"],
    }


def _write_summary(folder: Path, metrics: Json) -> None:
    """Write one small file per row of `measures.summarise`: `dvc metrics` shows a line each."""
    folder.mkdir()
    for name, row in summarise(metrics).items():
        (folder / f"{name}.json").write_text(tables.to_json(row), encoding="utf-8")


def _embedding_table(subject: Subject) -> pa.Table:
    """Return the embedding of every trailer, coarse and fine, float32."""
    columns = {"trailer_id": subject.ids, "split": subject.collection.split.tolist()}
    vectors = {n: pa.array(list(e.trailer), FLOATS) for n, e in subject.embedded.items()}
    return pa.table(columns | vectors)


def _explorer_table(subject: Subject, seconds: Spans) -> pa.Table:
    """Return the explorer's data for each trailer.

    Columns: trailer_id, split, genres (of the vocabulary, primary first), probabilities, and per
    space <name>_x, <name>_y, <name>_cluster (by cosine, 0 the largest), <name>_near (row
    numbers), <name>_similarity; sequence_spans holds the seconds between which each sequence
    lies, sequence_probabilities its genres (both empty without a sequence head).
    """
    columns = {
        "trailer_id": subject.ids,
        "split": subject.collection.split.tolist(),
        "genres": pa.array(subject.labels, pa.list_(pa.int32())),
        "probabilities": pa.array(list(subject.probabilities), FLOATS),
    }
    params = subject.params
    for name, embedded in subject.embedded.items():
        xy = clusters.project(embedded.trailer, seed=params.seed, perplexity=params.perplexity)
        found = retrieval.neighbours(embedded.trailer, params.neighbours, subject.films)
        columns |= {
            f"{name}_x": xy[:, 0],
            f"{name}_y": xy[:, 1],
            f"{name}_cluster": find_clusters(retrieval.unit(embedded.trailer), seed=params.seed),
            f"{name}_near": pa.array(list(found.index), pa.list_(pa.int32())),
            f"{name}_similarity": pa.array(list(found.similarity), FLOATS),
        }
    return pa.table(columns | _sequences(subject, seconds))


def _sequences(subject: Subject, seconds: Spans) -> dict[str, pa.Array]:
    """Times and genres of every trailer's sequences (figure 8)."""
    coarse = subject.coarse
    spans: list[list[float]] = [[] for _ in coarse.ids]
    values: list[list[np.ndarray]] = [[] for _ in coarse.ids]
    if coarse.sequence_logits is not None:
        begins, ends = seconds
        probabilities = scores.sigmoid(coarse.sequence_logits)
        for trailer in range(len(coarse.ids)):
            rows = np.flatnonzero(coarse.sequence_trailer == trailer)
            spans[trailer] = [*begins[rows], ends[rows[-1]]]
            values[trailer] = list(probabilities[rows])
    return {
        "sequence_spans": pa.array(spans, pa.list_(pa.float64())),
        "sequence_probabilities": pa.array(values, pa.list_(FLOATS)),
    }


def _clip_seconds(subject: Subject, features: Path) -> Spans:
    """First and last second of every clip, float64 each."""
    columns = ["trailer_id", "clip", "start_s", "stop_s"]
    clips = read_table(features / "clips", subject.ids, columns)
    return clips["start_s"].to_numpy(), clips["stop_s"].to_numpy()


def _sequence_seconds(subject: Subject, clips: Spans) -> Spans:
    """First and last second of every sequence, float64 each."""
    first = subject.collection.offsets[subject.coarse.sequence_trailer]
    begins = clips[0][first + subject.coarse.sequence_start]
    return begins, clips[1][first + subject.coarse.sequence_stop - 1]


def _similarity_rows(subject: Subject) -> list[Json]:
    """Section 4.4: mean cosine similarity within each genre set, before and after."""
    found = clusters.cohesion(subject.coarse.trailer, subject.fine.trailer, subject.sets).sets
    return [scores.rounded(asdict(entry)) for entry in found]


def _write_plots(
    folder: Path, subject: Subject, explorer: pa.Table, coarse: Path, fine: Path
) -> None:
    """Write curves of the test split, both trainings' histories, and both maps of figure 1."""
    folder.mkdir()
    members = subject.collection.members("test")
    labels = subject.collection.labels[members]
    curves = scores.precision_recall(labels, subject.probabilities[members], subject.genres)
    plots.write_curves(folder / plots.CURVES, curves)
    primary = [names[0] if names else "" for names in subject.names]
    for name, model in (("coarse", coarse), ("fine", fine)):
        plots.write_history(folder / f"{name}_training.csv", plots.read_history(model))
        places = [scores.rounded(explorer[f"{name}_{axis}"].to_pylist()) for axis in "xy"]
        rows = list(zip(subject.ids, *places, primary, strict=True))
        plots.write_csv(folder / f"{name}_map.csv", ("trailer_id", "x", "y", "genre"), rows)
