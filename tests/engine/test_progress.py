"""Progress of a run: a bar that fits a terminal, lines in a log, no zero counts."""

import io
import sys

import pytest
from rich.console import Console

from mmx.engine.progress import ItemProgress, ReportedParts, log_every


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that a run sees; a test moves it on."""
    now = [1000.0]
    monkeypatch.setattr("mmx.engine.progress.time.monotonic", lambda: now[0])
    return now


def shown(progress: ItemProgress, width: int) -> list[str]:
    """Return the bar as a terminal of this width has it."""
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(progress.bar.make_tasks_table(progress.bar.tasks))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().rstrip("\n").split("\n")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_bar_is_one_line_with_the_time_left(width: int, clock: list[float]) -> None:
    progress = ItemProgress("embed@densenet161_places365", 8803)
    progress.parts = ReportedParts("pairs", 1_234_567)
    progress.nodes = "12 nodes, 192 workers, 1,234 GB moved"
    progress.count(reused=4000, computed=400, failed=3)
    clock[0] += 3600
    (line,) = shown(progress, width)
    assert len(line.rstrip()) <= width and "4403/8803" in line
    assert "10:55:" in line and ("3 failed" in line or width == 60)


def test_counts_of_zero_are_hidden(clock: list[float]) -> None:
    progress = ItemProgress("flow", 8)
    progress.count(reused=8)
    assert progress.summary() == "8 reused of 8 trailers in 0.0 s"
    assert "failed" not in shown(progress, 80)[0]


def test_of_nothing_none_is_said(clock: list[float]) -> None:
    assert ItemProgress("flow", 8).summary() == "none of 8 trailers in 0.0 s"


@pytest.mark.parametrize(
    ("made", "seconds", "rate", "left"),
    [(50, 10, "5/s", "0:00:10"), (2, 60, "2/min", "0:49:00"), (1, 1800, "2/h", "2 days, 1:30:00")],
)
def test_rate_and_time_left_are_of_what_was_made_in_this_run(
    made: int, seconds: float, rate: str, left: str, clock: list[float]
) -> None:
    progress = ItemProgress("flow", 1000)
    progress.count(reused=900)
    assert (progress.rate(), progress.left()) == ("", "-")
    clock[0] += seconds
    progress.count(computed=made)
    assert (progress.rate(), progress.left()) == (rate, left)
    progress.count(computed=100 - made)
    assert progress.left() == "0:00:00"


def test_a_log_has_a_line_at_intervals_that_grow(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    assert [log_every(seconds) for seconds in (0, 3600, 1e6)] == [30, 180, 600]
    assert not sys.stderr.isatty()
    with ItemProgress("flow", 93) as progress:
        for _ in range(93):
            clock[0] += 1
            progress.count(computed=1)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "flow: 31 of 93 trailers (33%), 1/s, 0:01:02 left",
        "flow: 62 of 93 trailers (67%), 1/s, 0:00:31 left",
        "flow: 93 computed of 93 trailers in 93.0 s",
    ]
