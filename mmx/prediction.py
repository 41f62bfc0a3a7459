"""Genres and nearest films of videos outside the collection, by the same steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from mmx.errors import UserError
from mmx.evaluation.retrieval import nearest
from mmx.evaluation.scores import sigmoid
from mmx.experts.registry import get_expert
from mmx.features import ExpertSource, build_store, load
from mmx.pipeline.registry import with_needs
from mmx.project import Project
from mmx.steps.embed import embed_step
from mmx.temporary import Source, temporary_project
from mmx.trailers.inspection import inspect_file
from mmx.training.data import collect
from mmx.training.embed import Embedded, embed_collection
from mmx.training.load import ModelDescription, load_description, load_network


class PredictError(UserError):
    """A video cannot be predicted, or a trailer has no embedding; the message says why."""


@dataclass(frozen=True)
class Neighbour:
    """A trailer of the collection and its similarity to the query."""

    trailer_id: str
    title: str
    year: int | None
    genres: tuple[str, ...]
    similarity: float
    """Cosine, -1..1."""


@dataclass(frozen=True)
class SequencePrediction:
    """Genres of one sequence of clips (section 3.2)."""

    start_s: float
    stop_s: float
    genres: dict[str, float]
    """Probability by genre."""


@dataclass(frozen=True)
class Prediction:
    """The models' predictions for one video."""

    video: str
    """File name."""
    genres: dict[str, float]
    """Probability by genre, the most probable first."""
    predicted: tuple[str, ...]
    """Genres above evaluate.threshold."""
    sequences: tuple[SequencePrediction, ...]
    neighbours: tuple[Neighbour, ...]
    """By the fine-tuned embedding, nearest first."""
    embedding: tuple[float, ...]
    """By the fine-tuned model."""


def predict(project: Project, videos: Sequence[Path]) -> list[Prediction]:
    """Run the steps of the pipeline on `videos` in a temporary project, then the models.

    Raise PredictError for a video that cannot be read or has no clip.
    """
    for video in videos:
        _require_file(video)
    description = load_description(project.layout.coarse)
    sources = [_inspected(video, number, project) for number, video in enumerate(videos)]
    names = {source.trailer: source.video.name for source in sources}
    with temporary_project(project, sources) as aside:
        embed(aside, description, names)
        view = load(aside.layout.features, list(names), used_experts(description))
        absent = [names[name] for name in names if name not in view.trailer_ids]
        if absent:
            raise PredictError(f"{absent[0]} has no clip between two cuts")
        made = collect(view, description.experts)
        coarse = embed_collection(load_network(project.layout.coarse), made)
        fine = embed_collection(load_network(project.layout.fine), made)
        spans = sequence_spans(coarse, view.clip_offsets, view.start_s, view.stop_s)
    near = _neighbours_of(fine.trailer, project)
    return [
        Prediction(
            video=names[name],
            genres=genres,
            predicted=tuple(g for g in genres if genres[g] > project.params.evaluate.threshold),
            sequences=_sequences_of(number, coarse, spans, description.genres),
            neighbours=near[number],
            embedding=tuple(map(float, fine.trailer[number])),
        )
        for number, name in enumerate(coarse.ids)
        for genres in [_by_genre(description.genres, coarse.logits[number])]
    ]


def _inspected(video: Path, number: int, project: Project) -> Source:
    """Return what the steps need to know of a video; PredictError if it cannot be read.

    Its trailer_id is made of its `number` among the videos.
    """
    found = inspect_file(video, project.limits)
    if found.fault:
        raise PredictError(f"{video.name}: {found.fault}")
    about = {"sha256": found.sha256, "size": found.size, **(found.facts or {})}
    return Source(f"video-{number:04d}", video, about)


def _require_file(video: Path) -> None:
    if not video.is_file():
        raise PredictError(f"there is no video {video.name!r}")


def used_experts(description: ModelDescription) -> list[str]:
    """Return the experts that the model uses."""
    return sorted({name for members in description.experts.values() for name in members})


def embed(aside: Project, description: ModelDescription, names: dict[str, str]) -> None:
    """Run every step that the model's experts need, and build a feature store of the result."""
    experts = used_experts(description)
    for step in with_needs(map(embed_step, experts), aside.params):
        outcome = step.run(aside)
        for name, fault in outcome.faults.items():
            raise PredictError(f"{names[name]}: {fault.reason}")
    layout = aside.layout
    sources = [
        ExpertSource(name, get_expert(name).modality, layout.embeddings(name)) for name in experts
    ]
    layout.features.mkdir(parents=True)
    build_store(layout.features, sources=layout.sources, clips=layout.clips, experts=sources)


def sequence_spans(
    embedded: Embedded, offsets: np.ndarray, start_s: np.ndarray, stop_s: np.ndarray
) -> list[tuple[float, float]]:
    """Return (first second, last second) of every sequence."""
    first = offsets[embedded.sequence_trailer]
    begins = start_s[first + embedded.sequence_start]
    ends = stop_s[first + embedded.sequence_stop - 1]
    return [(float(begin), float(end)) for begin, end in zip(begins, ends, strict=True)]


def _sequences_of(
    number: int,
    coarse: Embedded,
    spans: Sequence[tuple[float, float]],
    genres: Sequence[str],
) -> tuple[SequencePrediction, ...]:
    """Return the genres of each sequence of video `number`; none without a sequence head."""
    logits = coarse.sequence_logits
    if logits is None:
        return ()
    return tuple(
        SequencePrediction(*spans[place], _by_genre(genres, logits[place]))
        for place in np.flatnonzero(coarse.sequence_trailer == number).tolist()
    )


def _by_genre(genres: Sequence[str], logits: np.ndarray) -> dict[str, float]:
    """Return probability by genre, the most probable first."""
    probabilities = zip(genres, sigmoid(logits).tolist(), strict=True)
    return dict(sorted(probabilities, key=lambda pair: -pair[1]))


def _neighbours_of(queries: np.ndarray, project: Project) -> list[tuple[Neighbour, ...]]:
    """Return the nearest trailers of the collection for each query, by the fine embedding."""
    names, vectors = _read_space(project, "fine")
    return rank(queries, names, vectors, project)


def _read_space(project: Project, space: str) -> tuple[list[str], np.ndarray]:
    """Return the trailers that have an embedding, and the embeddings, N x D.

    Raise PredictError where the table is not one that evaluate writes.
    """
    table = pq.read_table(project.layout.trailer_embeddings, columns=["trailer_id", space])
    names = table["trailer_id"].to_pylist()
    try:
        vectors = np.array(table[space].to_pylist(), np.float32)
        sound = vectors.ndim == 2 and bool(np.isfinite(vectors).all())
    except (TypeError, ValueError):
        sound = False
    if names and not (sound and len({*names}) == len(names) and {*names} <= {*labels(project)}):
        raise PredictError(
            "data/trailer_embeddings.parquet is not what its step wrote for these trailers: "
            "`mmx repair` removes it, `dvc repro` makes it again"
        )
    return names, vectors


def rank(
    queries: np.ndarray, names: Sequence[str], vectors: np.ndarray, project: Project
) -> list[tuple[Neighbour, ...]]:
    """Return the trailers `names` nearest to each of Q x D queries, with title, year and genres."""
    known = labels(project)
    found = nearest(queries, vectors, project.params.evaluate.neighbours)
    return [
        tuple(
            Neighbour(names[place], **known[names[place]], similarity=float(similarity))
            for place, similarity in zip(places, similarities, strict=True)
        )
        for places, similarities in zip(found.index, found.similarity, strict=True)
    ]


def labels(project: Project) -> dict[str, dict[str, Any]]:
    """Return title, year and genres by trailer."""
    columns = ["trailer_id", "title", "year", "genres"]
    rows = pq.read_table(project.layout.trailers, columns=columns).to_pylist()
    return {row.pop("trailer_id"): {**row, "genres": tuple(row["genres"] or ())} for row in rows}


def similar(project: Project, trailer: str, *, space: str = "fine") -> tuple[Neighbour, ...]:
    """Return the trailers nearest to one of the collection, the query left out.

    space: `fine` or `coarse`. Raise PredictError for a trailer without an embedding.
    """
    names, vectors = _read_space(project, space)
    if trailer not in names:
        raise PredictError(
            f"{trailer} has no embedding: it is not in the collection, or has too few clips"
        )
    place = names.index(trailer)
    others = [name for name in names if name != trailer]
    return rank(vectors[[place]], others, np.delete(vectors, place, axis=0), project)[0]
