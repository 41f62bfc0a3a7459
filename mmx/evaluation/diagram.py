"""Figures 2 and 7: the pipeline and its sequences, drawn from the real configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mmx.model.config import NetworkConfig


@dataclass(frozen=True)
class Box:
    """A box of a diagram: a heading and lines below it, in units of the drawing."""

    x: float
    y: float
    width: float
    height: float
    head: str
    lines: tuple[str, ...] = ()
    learnt: bool = True
    """Drawn in the accent: has weights that are trained here."""

    @property
    def left(self) -> tuple[float, float]:
        """Middle of the left side."""
        return self.x, self.y + self.height / 2

    @property
    def right(self) -> tuple[float, float]:
        """Middle of the right side."""
        return self.x + self.width, self.y + self.height / 2


def draw_network(config: NetworkConfig, experts: Mapping[str, Sequence[str]]) -> Markup:
    """Figure 2: experts, fusion, sequences, trailer, heads, each with its real shape."""
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
    contrast = Box(
        738, middle + 38, 120, 66, "contrast", (f"heads m, n to {config.projection}", "fine-tuning")
    )
    arrows = [
        *zip(inputs, common, strict=True),
        *((box, fusion) for box in common),
        (fusion, sequence),
        (sequence, trailer),
        (trailer, genre),
        (trailer, contrast),
    ]
    boxes = [*inputs, *common, fusion, sequence, trailer, genre, contrast]
    return _drawing(860, height, "The network", [*map(_arrow, arrows), *map(_box, boxes)])


def draw_sequences(config: NetworkConfig) -> Markup:
    """Figure 7: how a trailer's clips become sequences, for a trailer of 2.5 sequences."""
    length, stride = config.sequence_length, config.sequence_stride
    clips = stride * 2 + max(length // 2, 1)
    step = min(34.0, 820 / clips)
    shapes = [
        Markup('<rect class="box" x="{:.1f}" y="20" width="{:.1f}" height="22" rx="2"/>').format(
            20 + i * step, step - 3
        )
        for i in range(clips)
    ]
    shapes.append(_text(20, 12, "clips, between two cuts", "small"))
    for number, start in enumerate(range(0, clips, stride)):
        stop = min(start + length, clips)
        left, right = 20 + start * step, 20 + stop * step - 3
        shapes += [
            _brace(left, right, number),
            _text((left + right) / 2, 92, f"s{number + 1}", "head", "middle"),
        ]
        if stop - start < length:
            shapes.append(
                _text(
                    (left + right) / 2,
                    106,
                    f"{stop - start} of {length}, masked",
                    "small",
                    "middle",
                )
            )
    return _drawing(860, 114, "Clips and sequences", shapes)


def _expert_lines(width: int, sequence: bool, names: Sequence[str]) -> tuple[str, ...]:
    """Names and width of a modality's experts."""
    return ", ".join(names), f"{'T × ' if sequence else ''}{width} per clip"


def _pooling(config: NetworkConfig, sequence: bool) -> str:
    """How a modality comes to the common width."""
    return f"NetVLAD, {config.clusters}" if sequence else "linear"


def _fusion(config: NetworkConfig) -> tuple[str, tuple[str, ...]]:
    """Head and lines of the fusion."""
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


def _box(box: Box) -> Markup:
    """Draw a box with its text centred."""
    x, top = box.x + box.width / 2, box.y + box.height / 2 - 6.5 * len(box.lines)
    rect = Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{}" height="{}" rx="5"/>').format(
        "box on" if box.learnt else "box", box.x, box.y, box.width, box.height
    )
    lines = (
        _text(x, top + 18 + 13 * i, line, "small", "middle") for i, line in enumerate(box.lines)
    )
    return rect + _text(x, top + 4, box.head, "head", "middle") + Markup().join(lines)


def _arrow(ends: tuple[Box, Box]) -> Markup:
    """Draw a curve from the right of one box to the left of the next."""
    (x0, y0), (x1, y1) = ends[0].right, ends[1].left
    bend = (x0 + x1) / 2
    path = f"M{x0:.1f} {y0:.1f}C{bend:.1f} {y0:.1f} {bend:.1f} {y1:.1f} {x1 - 5:.1f} {y1:.1f}"
    tip = f"M{x1:.1f} {y1:.1f}l-6 -3v6z"
    return Markup('<path class="arrow" d="{}"/><path class="tip" d="{}"/>').format(path, tip)


def _brace(left: float, right: float, number: int) -> Markup:
    """Draw what gathers the clips of a sequence."""
    drop = 52 + 6 * (number % 2)
    middle = (left + right) / 2
    return Markup('<path class="arrow" d="M{0:.1f} 46V{1}H{2:.1f}V46M{3:.1f} {1}V76"/>').format(
        left, drop, right, middle
    )


def _text(x: float, y: float, text: str, style: str, anchor: str = "start") -> Markup:
    """Place escaped text."""
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        style, x, y, anchor, text
    )


def _drawing(width: float, height: float, title: str, shapes: Sequence[Markup]) -> Markup:
    """Wrap shapes into a scalable picture."""
    return Markup(
        '<svg class="chart diagram" viewBox="0 0 {:g} {:g}" role="img" aria-label="{}">{}</svg>'
    ).format(width, height, title, Markup().join(shapes))
