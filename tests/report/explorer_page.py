"""The report in Chromium, and what can be read off its maps."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_world import World, report_params

from benchmarks.chromium import Browser, Page
from mmx.report import page

Colour = tuple[int, int, int, int]
"""Red, green, blue, opacity, 0..255."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium, for the tests of one module."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    started = Browser(program, tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def report(world: World) -> Path:
    """The report of the small collection."""
    return page.render(world.layout, report_params())


@pytest.fixture
def tab(browser: Browser, report: Path) -> Iterator[Page]:
    """The report, just opened; it must go through each test without an error."""
    opened = Page(browser)
    opened.open(report)
    yield opened
    errors = [one for one in opened.events("Log.entryAdded") if one["entry"]["level"] == "error"]
    assert (opened.events("Runtime.exceptionThrown"), errors) == ([], [])
    opened.close()


def film_at(tab: Page, film: int) -> tuple[float, float]:
    """Return where a film of the first map is in the window, which scrolls to that map."""
    tab.wait("maps[0].height === maps[0].plane.clientHeight")
    x, y = tab.run(
        "(() => { const canvas = document.querySelector('.plane canvas');"
        " canvas.scrollIntoView({block: 'center'}); const box = canvas.getBoundingClientRect();"
        f" const [x, y] = maps[0].place({film}); return [box.left + x, box.top + y]; }})()"
    )
    return (x, y)


def view(tab: Page) -> list[float]:
    """Return scale and shift of the first map."""
    found: list[float] = tab.run("[maps[0].view.scale, maps[0].view.x, maps[0].view.y]")
    return found


def pixel(tab: Page, film: int, across: float = 0, layer: int = 1) -> Colour:
    """Return the colour painted at a film of the first map, or `across` pixels to its right."""
    tab.wait("maps[0].height === maps[0].plane.clientHeight")
    colour = tab.run(
        f"(() => {{ const canvas = document.querySelector('.plane canvas:nth-of-type({layer})');"
        f" const [x, y] = maps[0].place({film});"
        f" return [...canvas.getContext('2d').getImageData(x + {across}, y, 1, 1).data]; }})()"
    )
    red, green, blue, opacity = colour
    return red, green, blue, opacity


def chroma(colour: Colour) -> int:
    """Return how far a colour is from grey, 0..255."""
    return max(colour[:3]) - min(colour[:3])


def show(tab: Page, address: str) -> None:
    """Follow a link inside the open report."""
    tab.run(f"go('{address}')")
