"""Figures 1, 4, 6 and 9, and the writing of all ten figures as PNG and SVG.

Pictures depend only on the data: they contain no date and no name of a program.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mmx.evaluation import plots
from mmx.evaluation.scores import Json
from mmx.report import collection, diagram, evidence, exhibits, pictures
from mmx.report.collection import Archive
from mmx.report.exhibits import Pictures
from mmx.report.sources import Sources

INK, GRID = "#0e6577", "#e5e2da"
EXPERTS = ("#b4592c", "#6b5b95", "#5a7d2a", "#a8893a")
DPI = 150


def write_figures(folder: Path, sources: Sources, stills: Pictures) -> None:
    """Draw figures 1 to 10 into an existing folder; no contact sheet without stills."""
    # Without a salt, matplotlib draws the ids within an SVG file at random.
    with warnings.catch_warnings(), rc_context({"svg.hashsalt": "mmx", "svg.fonttype": "none"}):
        # A title may be in a script that the font lacks; the page uses the reader's fonts.
        warnings.filterwarnings("ignore", "Glyph")
        for number, figure in draw_all(sources, stills):
            path = folder / f"figure{number}"
            figure.savefig(path.with_suffix(".png"), dpi=DPI, metadata={"Software": None})
            nothing = {"Creator": None, "Date": None}
            figure.savefig(path.with_suffix(".svg"), metadata=nothing)


def draw_all(sources: Sources, stills: Pictures) -> Iterator[tuple[int, Figure]]:
    """Yield every figure by its number in the paper."""
    described, films = sources.description, sources.films
    genres, found = described.genres, exhibits.retrievals(sources)
    yield 1, draw_maps(sources.table, genres)
    yield 2, pictures.draw_diagram(diagram.plan_network(described.config, described.experts))
    if stills:
        yield 3, pictures.draw_sheet(films, stills)
    yield 4, draw_statistics(sources.archive, genres)
    yield 5, pictures.draw_retrieval(films, stills, found, ["fine"])
    yield 6, draw_silhouette(plots.read_history(sources.layout.fine))
    yield 7, pictures.draw_diagram(diagram.plan_sequences(described.config))
    times = exhibits.running_times(sources)
    if times:
        yield 8, pictures.draw_times(films, genres, times)
    yield 9, draw_curves(sources.curves, evidence.expert_curves(sources.evidence))
    yield 10, pictures.draw_retrieval(films, stills, found, list(exhibits.SPACES))


def draw_maps(explorer: pa.Table, genres: Sequence[str]) -> Figure:
    """Figure 1: both spaces by t-SNE, coloured by primary genre."""
    primary = np.array([own[0] if own else -1 for own in explorer["genres"].to_pylist()])
    figure = Figure((11, 5.2), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), exhibits.SPACES, strict=True):
        x, y = (explorer[f"{name}_{axis}"].to_numpy() for axis in "xy")
        for genre in sorted(set(primary.tolist()) - {-1}):
            chosen = primary == genre
            colour = [_colour(genre, len(genres))]
            axes.scatter(x[chosen], y[chosen], s=14, c=colour, label=genres[genre], linewidths=0)
        axes.set(title=f"{exhibits.SPACES[name]} space", xticks=[], yticks=[])
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=7, frameon=False, fontsize=8)
    return figure


def draw_statistics(archive: Archive, genres: Sequence[str]) -> Figure:
    """Figure 4: trailers per genre and year, and their lengths in seconds and in clips."""
    measured = collection.count(archive, genres)
    counts = measured.per_genre
    ranked = sorted(genres, key=lambda genre: (counts[genre], genre))
    figure = Figure((11, 7), layout="constrained")
    left, *others = figure.subplot_mosaic([["g", "y"], ["g", "s"], ["g", "c"]]).values()
    left.barh(ranked, [counts[genre] for genre in ranked], color=INK)
    left.set(title="trailers per genre")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    values = {
        "year of release": measured.years,
        "seconds per trailer": measured.seconds,
        "clips per trailer": measured.clips,
    }
    for axes, (title, found) in zip(others, values.items(), strict=True):
        axes.hist(found, bins=16, color=INK)
        axes.set(title=title)
    for axes in (left, *others):
        _remove_frame(axes)
    return figure


def draw_silhouette(epochs: Sequence[Json]) -> Figure:
    """Figure 6: the silhouette by primary genre over fine-tuning; epoch 0 is before it."""
    points = evidence.history(epochs, "silhouette")
    figure = Figure((6, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(*np.array(points).reshape(-1, 2).T, color=INK, marker="o", markersize=2.5)
    axes.set(xlabel="epoch", ylabel="silhouette by primary genre")
    _remove_frame(axes)
    return figure


def draw_curves(curves: Mapping[str, Json], experts: Mapping[str, Json]) -> Figure:
    """Figure 9: precision over recall on the test split, a panel per genre.

    `experts` has the curves of single experts by name, if their ablations have been run.
    """
    across = 5
    down = max(-(-len(curves) // across), 1)
    figure = Figure((11, 2.2 * down), layout="constrained")
    panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, (genre, line) in zip(panels, curves.items(), strict=False):
        for place, name, own in evidence.curves_of(genre, experts):
            axes.plot(*own, color=EXPERTS[place], linewidth=0.9, label=name)
        axes.plot(line["recall"], line["precision"], color=INK, label="This model")
        axes.set_title(genre, fontsize=9)
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
    for axes in panels[len(curves) :]:
        axes.axis("off")
    if curves:
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    return figure


def _colour(genre: int, count: int) -> tuple[float, float, float]:
    """Hues around the circle, light and dark in turn."""
    angle = 2 * np.pi * genre / count
    wave = 0.5 + 0.5 * np.cos(angle + np.array([0.0, -2.1, 2.1]))
    return tuple((0.15 + (0.75, 0.5)[genre % 2] * wave).tolist())


def _remove_frame(axes: Axes) -> None:
    """Remove the frame at the top and at the right."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="both", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
