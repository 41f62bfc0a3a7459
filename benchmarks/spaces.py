"""Spaces: in which do the nearest trailers share a hidden style, in which their genres?

Spaces are the untrained one (mean of standardised features), its whitened principal components, the
coarse model's, and those that fine-tuning makes of it by each set of OPTIONS. For every held-out
trailer, its NEAREST nearest by cosine among the trailers of all other films: how many have its
hidden style, and how much their genres overlap with its own (intersection over union).
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.folds import Setup, cut, hold_out, learn, seeded
from mmx.evaluation import scores, untrained
from mmx.evaluation.intervals import draw_films, mean_interval
from mmx.evaluation.retrieval import group_hits, neighbours
from mmx.params import FinetuneParams
from mmx.training.data import Collection
from mmx.training.embed import embed_collection
from mmx.training.fine import finetune

Json = dict[str, Any]
Floats = NDArray[np.float64]
NEAREST = 5
RESAMPLES = 1000
SHIPPED = "pooled"
"""The option to which the others are compared: that of the lite profile."""

PUBLISHED: dict[str, Any] = {
    "trains": "network",
    "loss": "simclr",
    "temperature": 0.5,
    "pairs": "halves",
}
DEALT = {"temperature": 0.1, "pairs": "shuffled"}
OPTIONS: dict[str, dict[str, Any]] = {
    "published": {},
    "literal": {"loss": "literal"},
    "temperature": {"temperature": 0.1},
    "shuffled": DEALT,
    "fewer clips": {**DEALT, "clip_dropout": 0.3},
    "fewer modalities": {**DEALT, "modality_dropout": 0.3},
    "pooled, halves": {"trains": "pooled", "temperature": 0.1},
    "pooled, fewer modalities": {"trains": "pooled", **DEALT, "modality_dropout": 0.3},
    "pooled": {"trains": "pooled", **DEALT},
}
"""Options of fine-tuning as changes to the published ones."""


@dataclass
class Space:
    """What one space does for every trailer, when it is held out."""

    style: Floats
    """Share of its nearest that have its hidden style, [trailers]."""
    overlap: Floats
    """Mean overlap of genres with its nearest, [trailers]."""
    probabilities: Floats | None = None
    """Of genres, [trailers, genres]; None for a space without a classifier."""


def measure(setup: Setup, seed: int) -> dict[str, Space]:
    """Return every space with one seed, out of fold."""
    found: dict[str, Space] = {}
    fold = cut(setup, seed)
    for number in range(setup.folds):
        held = hold_out(setup.collection, fold, number)
        for name, (vectors, logits) in make_spaces(setup, held, seed).items():
            space = found.setdefault(name, _empty(setup, with_genres=logits is not None))
            fill(space, setup, held.members("test"), vectors)
            if logits is not None and space.probabilities is not None:
                members = held.members("test")
                space.probabilities[members] = scores.sigmoid(logits[members])
    return found


def make_spaces(
    setup: Setup, held: Collection, seed: int
) -> dict[str, tuple[NDArray[np.floating], NDArray[np.floating] | None]]:
    """Return the vectors of all trailers in every space, and the logits where it has a classifier.

    Everything is fitted and trained on the other folds alone.
    """
    params, train = setup.params, held.members("train")
    joined = untrained.join(untrained.pool(held))
    width = params.finetune.width
    network, coarse = learn(held, params.model, params.train, seed)
    spaces: dict[str, tuple[NDArray[np.floating], NDArray[np.floating] | None]] = {
        "untrained": (joined, None),
        "whitened": (untrained.whiten(joined, train, params.evaluate.components), None),
        f"whitened, {width} wide": (untrained.whiten(joined, train, width), None),
        "coarse": (coarse.trailer, coarse.logits),
    }
    for name, changes in OPTIONS.items():
        options = change(params.finetune, {**PUBLISHED, **changes})
        tuned = finetune(copy.deepcopy(network), held, seeded(options, seed), device="cpu")
        embedded = embed_collection(tuned.network, held)
        spaces[name] = embedded.trailer, embedded.logits
    return spaces


def change(params: FinetuneParams, changes: dict[str, Any]) -> FinetuneParams:
    """Return validated parameters with some of them changed."""
    return FinetuneParams.model_validate({**params.model_dump(), **changes})


def fill(
    space: Space, setup: Setup, members: NDArray[np.integer], vectors: NDArray[np.floating]
) -> None:
    """Enter what the trailers at the positions `members` find near them."""
    found = neighbours(vectors, NEAREST, setup.films)
    marks = setup.collection.labels.astype(bool)
    own, near = marks[:, None], marks[found.index]
    union = (own | near).sum(axis=2)
    overlap = (own & near).sum(axis=2) / np.maximum(union, 1)
    space.style[members] = group_hits(found, setup.styles)[members].mean(axis=1)
    space.overlap[members] = overlap[members].mean(axis=1)


def _empty(setup: Setup, *, with_genres: bool) -> Space:
    """Return a space in which no trailer is entered yet."""
    trailers = len(setup.collection.ids)
    genres = np.zeros((trailers, len(setup.genres))) if with_genres else None
    return Space(np.zeros(trailers), np.zeros(trailers), genres)


def summarise(setup: Setup, runs: Sequence[dict[str, Space]]) -> Json:
    """Return a row per space: means over trailers and seeds, intervals by film, paired differences.

    `style_behind`: how much more of the nearest have the style in the SHIPPED space, with its
    interval over drawings of films; a difference holds if the interval is above zero.
    """
    draws = draw_films(setup.films, RESAMPLES, seed=0)
    style = {name: _mean([run[name].style for run in runs]) for name in runs[0]}
    overlap = {name: _mean([run[name].overlap for run in runs]) for name in runs[0]}
    areas = {name: [_area(setup, run[name]) for run in runs] for name in runs[0]}
    rows = {
        name: {
            "style": float(style[name].mean()),
            "style_interval": mean_interval(style[name], draws),
            "style_behind": float((style[SHIPPED] - style[name]).mean()),
            "style_behind_interval": mean_interval(style[SHIPPED] - style[name], draws),
            "overlap": float(overlap[name].mean()),
            "overlap_interval": mean_interval(overlap[name], draws),
            "ap_weighted": areas[name],
        }
        for name in runs[0]
    }
    return {"chance": chance(setup), "rows": rows}


def chance(setup: Setup) -> float:
    """Return how often a trailer of another film has the same hidden style."""
    style, film = (np.unique(rows, return_inverse=True)[1] for rows in (setup.styles, setup.films))
    apart = film[:, None] != film
    return float((style[:, None] == style)[apart].mean())


def _mean(rows: Sequence[Floats]) -> Floats:
    """Return the mean over seeds, per trailer."""
    mean: Floats = np.mean(rows, axis=0)
    return mean


def _area(setup: Setup, space: Space) -> float | None:
    """Return the weighted AU(PRC) of the out-of-fold genres, if there are any."""
    if space.probabilities is None:
        return None
    threshold = setup.params.evaluate.threshold
    record = scores.score(setup.collection.labels, space.probabilities, setup.genres, threshold)
    area: float = record["ap"]["weighted"]
    return area


def lines(found: Json) -> Iterator[str]:
    """Yield the table, as Markdown."""
    yield f"chance of the same style {found['chance']:.3f}"
    yield ""
    yield f"| space | same style | behind `{SHIPPED}` | overlap of genres | weighted AU(PRC) |"
    yield "|---|---|---|---|---|"
    for name, row in found["rows"].items():
        areas = [area for area in row["ap_weighted"] if area is not None]
        area = f"{np.mean(areas):.3f} ± {np.std(areas):.3f}" if areas else ""
        cells = (
            name,
            _with_interval(row["style"], row["style_interval"]),
            ""
            if name == SHIPPED
            else _with_interval(row["style_behind"], row["style_behind_interval"]),
            _with_interval(row["overlap"], row["overlap_interval"]),
            area,
        )
        yield f"| {' | '.join(cells)} |"


def _with_interval(value: float, bounds: Sequence[float]) -> str:
    return f"{value:.3f} ({bounds[0]:.3f} to {bounds[1]:.3f})"
