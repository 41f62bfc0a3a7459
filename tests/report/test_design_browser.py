"""How the report looks, as facts of the page in Chromium: print, phones, headings, charts."""

from itertools import pairwise
from pathlib import Path

import pytest
from explorer_page import browser, pixel, report, tab

from benchmarks.chromium import Page

pytestmark = pytest.mark.browser
__all__ = ["browser", "report", "tab"]


def hidden(tab: Page, *selectors: str) -> list[str]:
    """Return those of which nothing is seen."""
    return [
        one
        for one in selectors
        if not tab.run(
            f"[...document.querySelectorAll('{one}')].some((each) => each.getClientRects().length)"
        )
    ]


def test_print_is_light_with_the_filters_in_words_and_no_controls(tab: Page, report: Path) -> None:
    tab.open(report, "#q=film&genre=Comedy&year=2000-&film=t007")
    tab.click("#theme")
    controls = ("#search", ".chips", ".choice", "#colour", ".zoom", "#csv", ".close", ".contents")
    assert hidden(tab, *controls, "#filters") == ["#filters"]
    dark = pixel(tab, 7, across=7, layer=2)
    tab.run("window.dispatchEvent(new Event('beforeprint'))")
    tab.send("Emulation.setEmulatedMedia", media="print")
    assert hidden(tab, *controls, "#filters", "#key", ".plane", "#card") == list(controls)
    assert tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(250, 249, 246)"
    shown = tab.run("found.length")
    assert tab.text("#filters") == (
        f"Shown: {shown} of 48 trailers, with “film” in title or identifier, of Comedy, "
        "year from 2000."
    )
    assert sum(pixel(tab, 7, across=7, layer=2)[:3]) < sum(dark[:3]) - 200
    tab.send("Emulation.setEmulatedMedia", media="")
    tab.run("window.dispatchEvent(new Event('afterprint'))")
    assert tab.run("root.dataset.theme") == "dark"


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1024, 768)])
def test_the_contents_stay_in_one_line_at_the_top(
    tab: Page, report: Path, width: int, height: int
) -> None:
    tab.resize(width, height, mobile=width < 500)
    tab.open(report)
    tab.click('.contents a[href="#genres"]')
    tab.wait("scrollY > 500")
    top, bar, section = tab.run(
        "(() => { const bar = document.querySelector('.contents').getBoundingClientRect();"
        " const head = document.querySelector('#genres h2').getBoundingClientRect();"
        " return [bar.top, bar.bottom, head.top]; })()"
    )
    assert top == 0 and bar < 64 and section >= bar - 1


def test_there_are_three_ranks_of_headings(tab: Page, report: Path) -> None:
    tab.open(report, "#film=t007")
    ranks = tab.run("[...document.querySelectorAll('h1, h2, h3, h4, h5')].map((h) => h.tagName)")
    assert set(ranks) == {"H1", "H2", "H3"} and ranks.count("H1") == 1
    sizes = tab.run(
        "['h1', 'h2', 'section:last-of-type h3, #trailers h3'].map((h) =>"
        " parseFloat(getComputedStyle(document.querySelector(h)).fontSize))"
    )
    assert sizes[0] > 1.3 * sizes[1] > 1.3 * 1.3 * sizes[2]


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_text_of_charts_has_twelve_pixels(tab: Page, report: Path, width: int) -> None:
    tab.resize(width, 844, mobile=width < 500)
    tab.open(report)
    small = tab.run(
        "[...document.querySelectorAll('svg.chart text')].map((text) =>"
        " [parseFloat(getComputedStyle(text).fontSize) * text.ownerSVGElement.getScreenCTM().d,"
        " text.textContent]).filter(([size]) => size < 11.9)"
    )
    assert small == []


def test_the_number_of_a_figure_begins_its_caption(tab: Page) -> None:
    numbered = tab.run(
        "[...document.querySelectorAll('.ref')].filter((one) => /^Figure /.test(one.textContent))"
        ".map((one) => [one.textContent, one.parentElement.matches('figcaption, .caption')"
        " && one.parentElement.textContent.trim().startsWith(one.textContent)])"
    )
    assert len(numbered) >= 6 and all(begins for _, begins in numbered)


def test_genres_in_the_card_stand_in_even_rows(tab: Page, report: Path) -> None:
    tab.open(report, "#film=t007")
    tops = tab.run(
        "[...document.querySelectorAll('#card .odds dt')]"
        ".map((dt) => dt.getBoundingClientRect().top)"
    )
    steps = [after - before for before, after in pairwise(tops)]
    assert len(steps) >= 3 and max(steps) - min(steps) < 3


def test_percentages_are_not_wrapped(tab: Page, report: Path) -> None:
    tab.resize(1024, 768)
    tab.open(report, "#film=t007")
    lines = tab.run(
        "(() => { const one = document.querySelector('#card .odds .n');"
        " one.textContent = '100\\u00a0%'; const box = one.getBoundingClientRect();"
        " return [box.height, parseFloat(getComputedStyle(one).fontSize), one.scrollWidth,"
        " Math.ceil(box.width)]; })()"
    )
    assert lines[0] < 2 * lines[1] and lines[2] <= lines[3]


def test_what_scrolls_by_itself_has_a_place_and_a_name_for_the_keyboard(tab: Page) -> None:
    boxes = tab.run(
        "[...document.querySelectorAll('.scroll')].map((box) => [box.tabIndex, box.ariaLabel])"
    )
    assert len(boxes) > 5 and all(index == 0 and name for index, name in boxes)
