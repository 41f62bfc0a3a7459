import re
from xml.etree import ElementTree

import pytest

from mmx.report import charts
from mmx.report.charts import Axis, Frame, Series

EVIL = "<script>\"&'</script>"


def parse(markup: str) -> ElementTree.Element:
    """The first picture of some markup."""
    return ElementTree.fromstring(str(markup)[: str(markup).index("</svg>") + 6])


def texts(markup: str) -> list[str]:
    return [node.text or "" for node in parse(markup).iter("text")]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 50, [0, 10, 20, 30, 40, 50]),
        (0.331, 0.339, [0.332, 0.334, 0.336, 0.338]),
        (-3, 4, [-2, 0, 2, 4]),
        (1990, 2037, [1990, 2000, 2010, 2020, 2030]),
    ],
)
def test_ticks_are_round_and_inside(low: float, high: float, expected: list[float]) -> None:
    assert charts.ticks(low, high) == pytest.approx(expected)


def test_a_frame_places_its_corners() -> None:
    frame = Frame(100, 50, (0, 10), (-1, 1), margin=(5, 10, 15, 20))
    assert frame.place(0, -1) == (20, 35)
    assert frame.place(10, 1) == (90, 5)


def test_lines_are_drawn_where_the_numbers_say() -> None:
    drawn = charts.lines(
        [Series("a", [0, 1, 2], [0, 1, 0])], Axis("x", 0, 2), Axis("y", 0, 1), title="t"
    )
    path = next(n for n in parse(drawn).iter("path") if n.get("class") == "line s1").attrib["d"]
    assert re.findall(r"[\d.]+", path) == ["64.0", "218.0", "286.0", "10.0", "508.0", "218.0"]
    assert {"x", "y", "0.2", "1.5"} <= set(texts(drawn))


def test_a_single_point_is_a_dot_and_nothing_is_nothing() -> None:
    one = charts.lines([Series("a", [0], [0.4])], Axis("x"), Axis("y"), title="t")
    assert [node.get("class") for node in parse(one).iter("circle")] == ["dot s1"]
    assert charts.lines([Series("a", [], [])], Axis("x"), Axis("y"), title="t") == ""
    assert charts.columns([], [], title="t") == ""


def test_several_lines_have_a_legend() -> None:
    drawn = charts.lines(
        [Series("a", [0, 1], [0, 1]), Series(EVIL, [0, 1], [1, 0], "s2")],
        Axis("x"),
        Axis("y"),
        title="t",
    )
    assert drawn.count('class="key"') == 2


def test_columns_show_counts_in_proportion() -> None:
    drawn = parse(charts.columns(["a", "b", "c"], [4, 0, 2], title="t"))
    heights = [float(node.attrib["height"]) for node in drawn.iter("rect")]
    assert heights[1] == 0
    assert heights[0] == pytest.approx(2 * heights[2], abs=0.2)


def test_heat_spans_the_time_axis() -> None:
    drawn = parse(charts.heat(["a"], [[0.0, 1.0]], [0, 10, 40], title="t"))
    cells = list(drawn.iter("rect"))
    widths = [float(cell.attrib["width"]) + 1 for cell in cells]
    assert widths[1] == pytest.approx(3 * widths[0], abs=0.2)
    assert [cell.get("opacity") for cell in cells] == ["0.06", "1.00"]


def test_a_small_curve_shows_its_level() -> None:
    drawn = charts.small_curve([Series("a", [0, 1], [1, 0.5])], title="t", level=0.25)
    styles = [node.get("class") for node in parse(drawn).iter("path")]
    assert styles == ["axis", "line quiet dashed", "line s1"]


def test_untrusted_text_is_escaped() -> None:
    for drawn in (
        charts.lines([Series(EVIL, [0, 1], [0, 1])] * 2, Axis(EVIL), Axis(EVIL), title=EVIL),
        charts.columns([EVIL] * 3, [1, 2, 3], title=EVIL),
        charts.heat([EVIL], [[0.5]], [0, 1], title=EVIL),
        charts.legend([(EVIL, EVIL)]),
    ):
        assert "<script" not in drawn
        assert 'aria-label="<' not in drawn
