"""Figures 2, 3, 5, 7, 8 and 10 as PNG: diagrams, and pictures of single films.

Titles are untrusted input: matplotlib must not interpret them as mathematics.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path as Outline

from mmx.report.diagram import Box, Drawing, Stroke
from mmx.report.exhibits import SPACES, Pictures, Strip
from mmx.report.explorer import Film

INK, SOFT, LINE, ACCENT = "#1d1c1a", "#6a6761", "#cfcbc0", "#0e6577"
PER_UNIT = 1 / 72
"""Inches per unit of a diagram."""
EMPTY = np.full((9, 16, 3), 236, np.uint8)
"""In place of a missing picture."""
ACROSS = 8
"""Pictures in a row of the contact sheet."""


def draw_diagram(drawing: Drawing) -> Figure:
    """Figures 2 and 7, from the same geometry as on the page."""
    figure = Figure((drawing.width * PER_UNIT, drawing.height * PER_UNIT))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, drawing.width), ylim=(drawing.height, 0))
    axes.axis("off")
    for stroke in drawing.strokes:
        _stroke(axes, stroke)
    for box in drawing.boxes:
        _box(axes, box)
    for label in drawing.labels:
        head = label.style == "head"
        axes.text(
            label.x,
            label.y,
            label.text,
            ha="center" if label.anchor == "middle" else "left",
            color=INK if head else SOFT,
            fontsize=9.5 if head else 7.5,
            weight="bold" if head else "normal",
            parse_math=False,
        )
    return figure


def draw_sheet(films: Sequence[Film], pictures: Pictures) -> Figure:
    """Figure 3: the first still of every pictured film, with its title."""
    shown = list(pictures)
    down = max(-(-len(shown) // ACROSS), 1)
    figure = Figure((12, 1.02 * down), layout="constrained")
    panels = figure.subplots(down, ACROSS, squeeze=False).ravel()
    for axes, film in zip(panels, shown, strict=False):
        _still(axes, films, film, pictures)
    for axes in panels[len(shown) :]:
        axes.axis("off")
    return figure


def draw_retrieval(
    films: Sequence[Film],
    pictures: Pictures,
    found: Sequence[Mapping[str, Any]],
    spaces: Sequence[str],
) -> Figure:
    """Figures 5 and 10: queries, each with its nearest films, in a row for each space.

    Args:
        films: all films.
        pictures: the first still of those that have any; for others only the title is drawn.
        found: `query` and, by name of the space, its nearest films.
        spaces: keys of exhibits.SPACES.
    """
    across = 1 + max((len(row[name]) for row in found for name in spaces), default=0)
    rows = [(row, name) for row in found for name in spaces]
    figure = Figure((1.8 * across, 1.2 * max(len(rows), 1)), layout="constrained")
    panels = figure.subplots(max(len(rows), 1), across, squeeze=False)
    for axes in panels.ravel():
        axes.axis("off")
    for line, (row, name) in zip(panels, rows, strict=False):
        _still(line[0], films, row["query"], pictures)
        where = {"transform": line[0].transAxes, "rotation": 90, "va": "center", "ha": "right"}
        line[0].text(-0.06, 0.5, SPACES[name], fontsize=7, color=SOFT, **where)
        for axes, film in zip(line[1:], row[name], strict=False):
            _still(axes, films, film, pictures)
    return figure


def draw_times(films: Sequence[Film], genres: Sequence[str], strips: Sequence[Strip]) -> Figure:
    """Figure 8: each film's most probable genres over time, its labels beside its title."""
    down = max(-(-len(strips) // 2), 1)
    figure = Figure((12, 2.6 * down), layout="constrained")
    panels = figure.subplots(down, 2, squeeze=False).ravel()
    for axes, strip in zip(panels, strips, strict=False):
        borders = np.arange(len(strip.genres) + 1) - 0.5
        shades = {"vmin": 0.0, "vmax": 1.0, "cmap": "Blues", "edgecolors": "white"}
        drawn = axes.pcolormesh(strip.spans, borders, np.array(strip.values), **shades)
        axes.set(xlabel="seconds", yticks=range(len(strip.genres)), yticklabels=strip.genres)
        axes.invert_yaxis()
        film = films[strip.film]
        labels = ", ".join(genres[genre] for genre in film.genres)
        axes.set_title(f"{_short(film.title, 44)}: {labels}", fontsize=9, parse_math=False)
        figure.colorbar(drawn, ax=axes, label="probability")
    for axes in panels[len(strips) :]:
        axes.axis("off")
    return figure


def _still(axes: Axes, films: Sequence[Film], film: int, pictures: Pictures) -> None:
    """A film's first still below its title; an empty field if it has none."""
    axes.axis("off")
    axes.imshow(_framed(pictures.get(film, EMPTY)))
    title = _short(films[film].title, 24)
    axes.set_title(title, fontsize=6.5, pad=2, color=INK, parse_math=False)


def _framed(image: np.ndarray) -> np.ndarray:
    """Put an H x W x 3 picture into the middle of a grey field of 16 to 9, so that all align."""
    height, width = image.shape[:2]
    down, across = max(0, round(width * 9 / 16) - height), max(0, round(height * 16 / 9) - width)
    around = ((down // 2, down - down // 2), (across // 2, across - across // 2), (0, 0))
    return np.pad(image, around, constant_values=int(EMPTY[0, 0, 0]))


def _box(axes: Axes, box: Box) -> None:
    """A box with round corners, without its text."""
    round_by = 5 if box.head else 2
    axes.add_patch(
        FancyBboxPatch(
            (box.x + round_by, box.y + round_by),
            box.width - 2 * round_by,
            box.height - 2 * round_by,
            boxstyle=f"round,pad={round_by}",
            facecolor="white",
            edgecolor=ACCENT if box.learnt else LINE,
        )
    )


def _stroke(axes: Axes, stroke: Stroke) -> None:
    """A line, or a curve with a tip."""
    curve = [Outline.MOVETO, *[Outline.CURVE4] * 3] if stroke.arrow else None
    outline = Outline(stroke.points, curve)
    axes.add_patch(PathPatch(outline, facecolor="none", edgecolor=SOFT, linewidth=0.8))
    if stroke.arrow:
        x, y = stroke.points[-1]
        axes.fill((x, x - 6, x - 6), (y, y - 3, y + 3), color=SOFT, linewidth=0)


def _short(text: str, longest: int) -> str:
    """Cut a long title."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
