"""Charts as SVG text, coloured by the page's style sheet.

Every chart scales with its container, follows the page's light and dark colours, and has a label
for screen readers. Text is escaped here, so the result can be inserted into a page.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

WIDEST = 38.0
"""Largest width of a column."""


@dataclass(frozen=True)
class Series:
    """One line of a chart."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    style: str = "s1"
    """Class of the style sheet: s1 to s6, or `quiet`."""


@dataclass(frozen=True)
class Axis:
    """One axis: its label, and its ends if they do not depend on the data."""

    label: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Frame:
    """The drawing area of a chart in units of its view box, and the data range it shows."""

    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]
    margin: tuple[float, float, float, float] = field(default=(10.0, 12.0, 42.0, 64.0))
    """Top, right, bottom, left."""

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return the position of a data point."""
        top, right, bottom, left = self.margin
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return (
            left + across * (self.width - left - right),
            self.height - bottom - up * (self.height - top - bottom),
        )


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return about `count` round numbers within low..high, including the ends if they are round."""
    step = 10 ** math.floor(math.log10((high - low) / count))
    step *= next((m for m in (1, 2, 5) if (high - low) / (step * m) <= count), 10)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 10) for index in range(first, last + 1)]


def lines(
    series: Sequence[Series],
    x: Axis,
    y: Axis,
    *,
    title: str,
    width: float = 520,
    height: float = 260,
) -> Markup:
    """Draw lines over two labelled axes, with a legend if there is more than one line."""
    series = [line for line in series if line.x]
    if not series:
        return Markup()
    frame = Frame(
        width,
        height,
        _range(x, [value for line in series for value in line.x]),
        _range(y, [value for line in series for value in line.y]),
    )
    drawn = Markup().join([*_axes(frame, x.label, y.label), *(_line(frame, s) for s in series)])
    if len(series) == 1:
        return _figure(frame, title, drawn)
    return _figure(frame, title, drawn) + legend([(line.name, line.style) for line in series])


def small_curve(series: Sequence[Series], *, title: str, level: float | None = None) -> Markup:
    """Draw lines over the unit square without labels, as one of many small charts.

    `level` is a horizontal reference, such as the precision of the random baseline.
    """
    frame = Frame(120, 96, (0.0, 1.0), (0.0, 1.0), margin=(4.0, 4.0, 4.0, 4.0))
    (x0, y0), (x1, y1) = frame.place(0, 0), frame.place(1, 1)
    box = Markup('<path class="axis" d="M{} {}V{}H{}V{}Z"/>').format(x0, y0, y1, x1, y0)
    rule = [] if level is None else [Series("", (0.0, 1.0), (level, level), "quiet dashed")]
    return _figure(frame, title, box + Markup().join(_line(frame, s) for s in [*rule, *series]))


def columns(
    labels: Sequence[str],
    counts: Sequence[float],
    *,
    title: str,
    width: float = 520,
    height: float = 230,
) -> Markup:
    """Draw one column per label, its count above; long labels are rotated."""
    if not labels:
        return Markup()
    tall = max(len(label) for label in labels) > 60 / len(labels)
    frame = Frame(
        width,
        height,
        (0.0, float(len(labels))),
        (0.0, float(max(*counts, 1))),
        margin=(20.0, 4.0, 112.0 if tall else 26.0, 4.0),
    )
    bars = (_column(frame, *entry, tall) for entry in enumerate(zip(labels, counts, strict=True)))
    return _figure(frame, title, Markup().join(bars))


def heat(
    rows: Sequence[str], values: Sequence[Sequence[float]], spans: Sequence[float], *, title: str
) -> Markup:
    """Draw strips of cells, one per row: figure 8's genres over a trailer's running time.

    `values` is rows x cells, 0..1; `spans` holds the (cells + 1) borders on the time axis, seconds.
    """
    label, step, width = 128.0, 22.0, 520.0
    scale = (width - label - 4) / max(spans[-1] - spans[0], 1e-9)
    edges = [label + (second - spans[0]) * scale for second in spans]
    cells = Markup().join(
        _strip(name, strength, edges, row * step, step)
        for row, (name, strength) in enumerate(zip(rows, values, strict=True))
    )
    bottom = len(rows) * step
    times = Markup().join(
        _text(edges[at], bottom + 16, f"{spans[at]:.0f} s", "tick", anchor)
        for at, anchor in ((0, "start"), (-1, "end"))
    )
    return _figure(Frame(width, bottom + 22, (0, 1), (0, 1)), title, cells + times)


def _strip(
    name: str, strength: Sequence[float], edges: Sequence[float], top: float, step: float
) -> Markup:
    """Draw one row of cells; a higher value is more opaque."""
    cell = Markup(
        '<rect class="cell" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{}" opacity="{:.2f}"/>'
    )
    return _text(edges[0] - 8, top + step - 6, name, "name", "end") + Markup().join(
        cell.format(left, top + 1, max(right - left - 1, 0.5), step - 2, 0.06 + 0.94 * value)
        for left, right, value in zip(edges, edges[1:], strength, strict=False)
    )


def _range(axis: Axis, values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of an axis: as given, or those of the data with a margin."""
    low, high = min(values), max(values)
    air = 0.06 * (high - low) or 0.5
    low = low - air if axis.low is None else axis.low
    high = high + air if axis.high is None else axis.high
    return low, max(high, low + 1e-9)


def _axes(frame: Frame, across: str, up: str) -> Iterator[Markup]:
    """Draw grid lines, ticks and the names of both axes."""
    (left, bottom), (right, top) = (
        frame.place(frame.x[0], frame.y[0]),
        frame.place(frame.x[1], frame.y[1]),
    )
    for value in ticks(*frame.y):
        height = frame.place(frame.x[0], value)[1]
        yield Markup('<path class="grid" d="M{:.1f} {:.1f}H{:.1f}"/>').format(left, height, right)
        yield _text(left - 6, height + 4.5, f"{value:g}", "tick", "end")
    for value in ticks(*frame.x):
        yield _text(frame.place(value, frame.y[0])[0], bottom + 17, f"{value:g}", "tick", "middle")
    yield _text((left + right) / 2, bottom + 36, across, "name", "middle")
    yield Markup(
        '<text class="name" text-anchor="middle"'
        ' transform="translate(13 {:.1f}) rotate(-90)">{}</text>'
    ).format((top + bottom) / 2, up)


def _line(frame: Frame, series: Series) -> Markup:
    """Draw one line, or a point if there is only one value."""
    points = [frame.place(x, y) for x, y in zip(series.x, series.y, strict=True)]
    if len(points) == 1:
        return Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(
            f"dot {series.style}", *points[0]
        )
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return Markup('<path class="{}" d="M{}"/>').format(f"line {series.style}", path)


def _column(frame: Frame, place: int, entry: tuple[str, float], tall: bool) -> Markup:
    """Draw one column with its count and label."""
    label, count = entry
    (middle, base), (edge, top) = frame.place(place + 0.5, 0), frame.place(place + 0.88, count)
    half = min(edge - middle, WIDEST / 2)
    bar = Markup(
        '<rect class="column" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="1.5"/>'
    ).format(middle - half, top, 2 * half, base - top)
    turn = f' transform="rotate(-90 {middle + 4:.1f} {base + 8:.1f})"' if tall else ""
    name = Markup('<text class="name" text-anchor="{}" x="{:.1f}" y="{:.1f}"{}>{}</text>').format(
        "end" if tall else "middle",
        middle + (4 if tall else 0),
        base + (8 if tall else 18),
        Markup(turn),
        label,
    )
    return bar + _text(middle, top - 4, f"{count:g}", "tick", "middle") + name


def _text(x: float, y: float, text: str, style: str, anchor: str) -> Markup:
    """Place escaped text."""
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        style, x, y, anchor, text
    )


def legend(lines: Sequence[tuple[str, str]]) -> Markup:
    """Return a legend of lines, given as names and styles."""
    entry = Markup('<span class="key"><i class="{1}"></i>{0}</span>')
    return Markup('<p class="legend">{}</p>').format(
        Markup().join(entry.format(*line) for line in lines)
    )


def _figure(frame: Frame, title: str, drawn: Markup) -> Markup:
    """Wrap a drawing into a scalable picture with a title for screen readers."""
    return Markup(
        '<svg class="chart" viewBox="0 0 {:g} {:g}" role="img" aria-label="{}">{}</svg>'
    ).format(frame.width, frame.height, title, drawn)
