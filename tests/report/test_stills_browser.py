"""Stills in Chromium: inside the page and beside it, on map, list and card."""

import base64
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from explorer_page import browser, film_at
from small_world import World, report_params

from benchmarks.chromium import Browser, Page
from mmx.report import page
from mmx.stills.sheet import Cells, encode

pytestmark = pytest.mark.browser
__all__ = ["browser"]

Colour = tuple[int, int, int]
PREVIEWS = 2
CELLS = Cells(176, PREVIEWS)
RED, GREEN, BLUE = (200, 40, 40), (40, 170, 60), (40, 60, 200)
FRAMES = (RED, GREEN, BLUE, (190, 180, 60))
"""Colours of the clips' frames; a preview is their negative, flow violet, sound grey."""


def negative(colour: Colour) -> Colour:
    red, green, blue = colour
    return 255 - red, 255 - green, 255 - blue


def write_sheet(path: Path) -> None:
    """Write a sheet whose cells are plain."""

    def row(height: int, *colours: Colour) -> list[np.ndarray]:
        return [np.full((height, CELLS.width, 3), colour, np.uint8) for colour in colours]

    previews = [row(CELLS.height, *map(negative, FRAMES))] * PREVIEWS
    flow, sound = row(CELLS.height, *[(150, 60, 190)] * 4), row(CELLS.wave, *[(128,) * 3] * 4)
    path.write_bytes(encode([row(CELLS.height, *FRAMES), flow, sound, *previews]))


def render(world: World, folder: Path, inside: float) -> Path:
    """Return a report with stills of every film but the last."""
    copy = replace(world, folder=shutil.copytree(world.folder, folder)).layout
    copy.stills.mkdir(exist_ok=True)
    for name in world.ids[:-1]:
        write_sheet(copy.stills / f"{name}.webp")
    params = report_params()
    changed = {"preview_frames": PREVIEWS, "stills_inside": inside}
    evaluate = params.evaluate.model_copy(update=changed)
    return page.render(copy, params.model_copy(update={"evaluate": evaluate}))


@pytest.fixture(scope="module", params=[0.0, 100.0], ids=["beside", "inside"])
def report(
    request: pytest.FixtureRequest, world: World, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return render(world, tmp_path_factory.mktemp("stills") / "project", request.param)


@pytest.fixture
def tab(browser: Browser, report: Path) -> Iterator[Page]:
    """The report; what it asks for lies in its own folder."""
    opened = Page(browser, 1280, 900)
    opened.open(report, "#film=t007")
    yield opened
    errors = [one for one in opened.events("Log.entryAdded") if one["entry"]["level"] == "error"]
    assert (opened.events("Runtime.exceptionThrown"), errors) == ([], [])
    asked = [one["request"]["url"] for one in opened.events("Network.requestWillBeSent")]
    ours = (report.parent.as_uri(), "data:", "about:")
    assert all(url.startswith(ours) for url in asked)
    opened.close()


def colour(tab: Page, selector: str, at: int = 0) -> Colour:
    """Return the colour that is seen in the middle of an element."""
    x, y = tab.run(
        f"(() => {{ const one = document.querySelectorAll('{selector}')[{at}];"
        " one.scrollIntoView({block: 'center'}); const box = one.getBoundingClientRect();"
        " return [box.left + box.width / 2, box.top + box.height / 2]; })()"
    )
    shot = base64.b64decode(tab.send("Page.captureScreenshot", format="png")["data"])
    image = cv2.imdecode(np.frombuffer(shot, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    red, green, blue = (int(value) for value in image[int(y), int(x), ::-1])
    return red, green, blue


def near(seen: Colour, wanted: Colour) -> bool:
    return max(abs(a - b) for a, b in zip(seen, wanted, strict=True)) < 12


def seen(tab: Page, selector: str, wanted: Colour, at: int = 0) -> None:
    """A picture is painted a moment after its element."""
    assert any(near(colour(tab, selector, at), wanted) for _ in range(20)), colour(
        tab, selector, at
    )


def test_the_card_has_frame_flow_and_sound_of_each_clip(tab: Page) -> None:
    for at, wanted in enumerate(FRAMES):
        seen(tab, ".strip .cell:first-child", wanted, at)
        seen(tab, ".strip .cell:nth-child(2)", (150, 60, 190), at)
        seen(tab, ".strip .cell:nth-child(3)", (128, 128, 128), at)


def test_every_film_of_the_list_has_its_still(tab: Page) -> None:
    assert tab.run("document.querySelectorAll('#results .thumb').length") == 47
    seen(tab, "#results .thumb", RED, 11)
    seen(tab, ".near .thumb", RED)


def test_the_map_shows_a_contact_sheet_under_the_pointer(tab: Page) -> None:
    x, y = film_at(tab, 12)
    tab.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    bubble = ".map .bubble:not([hidden]) .frames .cell"
    for at, wanted in enumerate(FRAMES):
        seen(tab, bubble, wanted, at)
    assert tab.run(
        "[...document.querySelectorAll('.bubble:not([hidden])')].every((one) =>"
        " one.scrollWidth <= one.clientWidth)"
    )


def test_figure_3_and_the_retrieved_have_stills(tab: Page) -> None:
    assert tab.run("document.querySelectorAll('.sheet button').length") == 47
    seen(tab, ".sheet .cell", RED, 5)
    seen(tab, ".query .still .cell", RED)


def test_a_clip_plays_while_it_has_the_focus(tab: Page) -> None:
    tab.run("document.querySelector('.strip .clip').focus()")
    tab.wait(
        "document.querySelector('.strip .cell').style.backgroundPosition !== '0% 0%'"
        " && document.activeElement.matches('.strip .clip')"
    )
    seen(tab, ".strip .cell:first-child", negative(RED))
    tab.run("document.activeElement.blur()")
    seen(tab, ".strip .cell:first-child", RED)


def test_a_film_without_a_sheet_has_none(tab: Page, report: Path) -> None:
    tab.open(report, "#film=t047")
    assert tab.text("#card h3") and tab.run("!document.querySelector('#card .strip')")
