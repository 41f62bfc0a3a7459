"""Figures 2 and 7: the network and its sequences, laid out from the actual configuration.

A `Drawing` is geometry; `to_svg` draws it for the page, `mmx.report.pictures` as PNG.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from markupsafe import Markup

from mmx.model.config import NetworkConfig

Point = tuple[float, float]


@dataclass(frozen=True)
class Label:
    """A line of text."""

    x: float
    y: float
    """The base line."""
    text: str
    style: str = "small"
    """`head` or `small`."""
    anchor: str = "start"
    """`start` or `middle`."""


@dataclass(frozen=True)
class Box:
    """A box of a diagram with a heading and lines of text, in units of the drawing."""

    x: float
    y: float
    width: float
    height: float
    head: str = ""
    lines: tuple[str, ...] = ()
    learnt: bool = True
    """Has weights that are trained here; drawn in the accent colour."""

    @property
    def left(self) -> Point:
        """Middle of the left side."""
        return self.x, self.y + self.height / 2

    @property
    def right(self) -> Point:
        """Middle of the right side."""
        return self.x + self.width, self.y + self.height / 2

    @property
    def labels(self) -> tuple[Label, ...]:
        """Its text, centred."""
        x, top = self.x + self.width / 2, self.y + self.height / 2 - 6.5 * len(self.lines)
        lines = (
            Label(x, top + 18 + 13 * at, line, anchor="middle")
            for at, line in enumerate(self.lines)
        )
        return (Label(x, top + 4, self.head, "head", "middle"), *lines) if self.head else ()


@dataclass(frozen=True)
class Stroke:
    """A line from point to point."""

    points: tuple[Point, ...]
    """The four points of a cubic Bezier curve if `arrow`."""
    arrow: bool = False
    """A curve with a tip at its end, pointing right."""


@dataclass(frozen=True)
class Drawing:
    """A diagram; y grows downwards."""

    title: str
    width: float
    height: float
    boxes: tuple[Box, ...]
    strokes: tuple[Stroke, ...]
    notes: tuple[Label, ...] = ()
    """Text outside the boxes."""

    @property
    def labels(self) -> tuple[Label, ...]:
        """All text."""
        return (*chain.from_iterable(box.labels for box in self.boxes), *self.notes)


def plan_network(config: NetworkConfig, experts: Mapping[str, Sequence[str]]) -> Drawing:
    """Figure 2: experts, fusion, sequences, trailer, heads, each with its shape."""
    rows = len(config.modalities)
    height = max(62.0 * rows + 10, 258.0)
    middle = height / 2
    inputs = [
        Box(
            2,
            height * (i + 0.5) / rows - 25,
            132,
            50,
            m.name,
            _expert_lines(m.width, m.sequence, experts[m.name]),
            False,
        )
        for i, m in enumerate(config.modalities)
    ]
    common = [
        Box(166, box.y + 6, 92, 38, f"{config.dim}", (_pooling(config, m.sequence),))
        for box, m in zip(inputs, config.modalities, strict=True)
    ]
    fusion = Box(290, middle - 44, 112, 88, *_fusion(config))
    sequence = Box(436, middle - 44, 112, 88, "sequence", _sequence_lines(config))
    trailer = Box(582, middle - 44, 118, 88, "trailer", _trailer_lines(config))
    genre = Box(
        738,
        middle - 104,
        120,
        66,
        "genres",
        (f"head l to {config.classes} logits", "coarse training"),
    )
    contrast = Box(738, middle + 38, 120, 66, "contrast", _contrast_lines(config))
    arrows = [
        *zip(inputs, common, strict=True),
        *((box, fusion) for box in common),
        (fusion, sequence),
        (sequence, trailer),
        (trailer, genre),
        *([] if config.pooled else [(trailer, contrast)]),
    ]
    boxes = (*inputs, *common, fusion, sequence, trailer, genre, contrast)
    return Drawing("The network", 860, height, boxes, tuple(_arrow(*ends) for ends in arrows))


def plan_sequences(config: NetworkConfig) -> Drawing:
    """Figure 7: how a trailer's clips become sequences, for a trailer of 2.5 sequences."""
    length, stride = config.sequence_length, config.sequence_stride
    clips = stride * 2 + max(length // 2, 1)
    step = min(34.0, 820 / clips)
    boxes = tuple(Box(20 + at * step, 20, step - 3, 22, learnt=False) for at in range(clips))
    strokes: list[Stroke] = []
    notes = [Label(20, 12, "clips, between two cuts")]
    for number, start in enumerate(range(0, clips, stride)):
        stop = min(start + length, clips)
        left, right = 20 + start * step, 20 + stop * step - 3
        middle = (left + right) / 2
        strokes += _brace(left, right, number)
        notes.append(Label(middle, 92, f"s{number + 1}", "head", "middle"))
        if stop - start < length:
            masked = f"{stop - start} of {length}, masked"
            notes.append(Label(middle, 106, masked, anchor="middle"))
    return Drawing("Clips and sequences", 860, 114, boxes, tuple(strokes), tuple(notes))


def to_svg(drawing: Drawing) -> Markup:
    """Draw a diagram as SVG, coloured by the page's style sheet."""
    shapes = [*map(_path, drawing.strokes), *map(_rect, drawing.boxes), *map(_text, drawing.labels)]
    return Markup(
        '<svg class="chart diagram" viewBox="0 0 {:g} {:g}" role="img" aria-label="{}">{}</svg>'
    ).format(drawing.width, drawing.height, drawing.title, Markup().join(shapes))


def _expert_lines(width: int, sequence: bool, names: Sequence[str]) -> tuple[str, ...]:
    """Names and width of a modality's experts."""
    return ", ".join(names), f"{'T × ' if sequence else ''}{width} per clip"


def _pooling(config: NetworkConfig, sequence: bool) -> str:
    """How a modality is brought to the common width."""
    return f"NetVLAD, {config.clusters}" if sequence else "linear"


def _fusion(config: NetworkConfig) -> tuple[str, tuple[str, ...]]:
    """Heading and lines of the fusion box."""
    if config.fusion == "concat":
        return "clip", ("concatenated", f"to {config.clip}, norm 1")
    return "clip", (
        "gated by the others",
        f"({config.gating.order}),",
        f"GEM, to {config.clip}, norm 1",
    )


def _sequence_lines(config: NetworkConfig) -> tuple[str, ...]:
    """Lines of the sequence box."""
    joined = config.sequence_length * config.clip
    return f"{config.sequence_length} clips, {joined}", f"MLP j to {config.sequence}"


def _trailer_lines(config: NetworkConfig) -> tuple[str, ...]:
    """Lines of the trailer box."""
    if config.sequence_head == "only":
        return ("mean over sequences", f"bottleneck {config.bottleneck}")
    if config.aggregate == "sum":
        return ("sum of sequences", f"bottleneck k, {config.bottleneck}")
    joined = config.slots * config.sequence
    return f"{config.slots} slots, {joined}", f"bottleneck k, {config.bottleneck}"


def _contrast_lines(config: NetworkConfig) -> tuple[str, ...]:
    """Lines of the box of fine-tuning."""
    if config.pooled:
        return (f"means, all to {config.pooled}", "fine-tuning")
    return (f"heads m, n to {config.projection}", "fine-tuning")


def _arrow(begin: Box, end: Box) -> Stroke:
    """A curve from the right of one box to the left of the next."""
    (x0, y0), (x1, y1) = begin.right, end.left
    bend = (x0 + x1) / 2
    return Stroke(((x0, y0), (bend, y0), (bend, y1), (x1, y1)), arrow=True)


def _brace(left: float, right: float, number: int) -> tuple[Stroke, Stroke]:
    """The bracket below the clips of a sequence."""
    drop, middle = 52 + 6 * (number % 2), (left + right) / 2
    around = ((left, 46), (left, drop), (right, drop), (right, 46))
    return Stroke(around), Stroke(((middle, drop), (middle, 76)))


def _rect(box: Box) -> Markup:
    """Draw a box without its text."""
    return Markup(
        '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="{}"/>'
    ).format(
        "box on" if box.learnt else "box",
        box.x,
        box.y,
        box.width,
        box.height,
        5 if box.head else 2,
    )


def _path(stroke: Stroke) -> Markup:
    """Draw a line; an arrow ends short of its tip."""
    at = ["{:.1f} {:.1f}".format(*point) for point in stroke.points]
    if not stroke.arrow:
        return Markup('<path class="arrow" d="M{}"/>').format("L".join(at))
    x, y = stroke.points[-1]
    curve = f"M{at[0]}C{at[1]} {at[2]} {x - 5:.1f} {y:.1f}"
    tip = f"M{at[-1]}l-6 -3v6z"
    return Markup('<path class="arrow" d="{}"/><path class="tip" d="{}"/>').format(curve, tip)


def _text(label: Label) -> Markup:
    """Place escaped text."""
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        label.style, label.x, label.y, label.anchor, label.text
    )
