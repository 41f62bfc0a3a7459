"""The report as a person uses it: in Chromium, clicked and typed at."""

import json
from pathlib import Path

import pytest
from explorer_page import browser, report, tab
from small_world import EVIL, GENRES, World

from benchmarks.chromium import Page

pytestmark = pytest.mark.browser
__all__ = ["browser", "report", "tab"]


def place(tab: Page, film: int, space: int) -> tuple[float, float]:
    """Where a film is on a map, as shares of its width and height."""
    across, down, width, height = tab.run(
        "(() => { const films = JSON.parse(document.getElementById('films').textContent);"
        f" const xy = films.spaces[{space}].xy.slice({2 * film}, {2 * film + 2});"
        f" const map = document.querySelectorAll('.plane')[{space}];"
        " return [xy[0] / 1000, 1 - xy[1] / 1000, map.clientWidth, map.clientHeight]; })()"
    )
    edge = 18
    return (
        (edge + (width - 2 * edge) * across) / width,
        (edge + (height - 2 * edge) * down) / height,
    )


def painted(tab: Page) -> list[int]:
    """How many pixels are marked on top of each map."""
    marked: list[int] = tab.run(
        "[...document.querySelectorAll('.plane canvas:nth-of-type(2)')].map((one) => one"
        ".getContext('2d').getImageData(0, 0, one.width, one.height).data.filter(Boolean).length)"
    )
    return marked


def map_of(space: int) -> str:
    return f".map:nth-of-type({space + 1}) canvas:nth-of-type(2)"


@pytest.mark.parametrize("space", [0, 1])
def test_a_click_on_a_map_selects_in_both(tab: Page, space: int) -> None:
    assert painted(tab) == [0, 0]
    tab.click(map_of(space), *place(tab, 17, space))
    assert tab.text("#card h3").startswith("Film ")
    assert min(painted(tab)) > 100
    assert tab.text("#said") == f"Selected {tab.text('#card h3')}"
    assert tab.run("location.hash").startswith("#film=t0")


def test_search_finds_by_title_and_identifier(tab: Page) -> None:
    tab.click("#search")
    tab.write("film 17")
    tab.wait("document.getElementById('found').textContent === '2 of 48 trailers'")
    assert tab.texts("#results .film") == ["Film 12 (2007)", "Film 17 (2012)"]
    tab.press("Enter")
    assert tab.text("#card h3") == "Film 12 (2007)"
    tab.click("#results li:nth-child(2) .film")
    assert tab.text("#card h3") == "Film 17 (2012)"


def test_accents_do_not_matter_to_the_search(tab: Page) -> None:
    tab.click("#search")
    tab.write("AMELIE")
    tab.wait("document.getElementById('found').textContent === '1 of 48 trailers'")
    tab.click("#results .film")
    assert tab.text("#card h3").startswith("Amélie")


def test_genres_and_years_filter_together(tab: Page, world: World) -> None:
    tab.click(f'[data-genre="{GENRES.index("Comedy")}"]')
    assert tab.run("document.querySelector('[data-genre=\"1\"]').ariaPressed") == "true"
    comedies = [at for at, genres in enumerate(world.genres) if "Comedy" in genres]
    assert tab.text("#found") == f"{len(comedies)} of 48 trailers"
    tab.click("#year-from")
    tab.write("2020")
    late = [at for at in comedies if 1990 + at >= 2020]
    tab.wait(f"document.getElementById('found').textContent === '{len(late)} of 48 trailers'")
    tab.click(f'[data-genre="{GENRES.index("Comedy")}"]')
    assert tab.text("#found") == "18 of 48 trailers"


def test_a_film_is_told_with_all_that_is_known(tab: Page, world: World) -> None:
    tab.open(world.layout.page, "#film=t007")
    film = json.loads(tab.text("#films"))
    assert tab.text("#card h3") == "Film 2 (1997)"
    about = tab.text("#card .about")
    assert "test" in about and "clips" in about and all(g in about for g in world.genres[7])
    labels = [text.removesuffix(" (label)") for text in tab.texts("#card .odds dt.label")]
    assert sorted(labels) == sorted(world.genres[7])
    probabilities = dict(
        zip(tab.texts("#card .odds dt"), tab.texts("#card .odds dd.n"), strict=True)
    )
    assert set(probabilities.values()) <= {f"{value}\u00a0%" for value in film["probabilities"][7]}
    lanes = tab.run("document.querySelectorAll('#card .lane').length")
    cells = tab.run("document.querySelectorAll('#card .lane:first-of-type i').length")
    assert (lanes, cells) == (len(GENRES), len(film["sequences"][7]["values"]))
    lists = tab.run(
        "[...document.querySelectorAll('#card .near')].map((one) => one.children.length)"
    )
    assert lists == [5, 5]
    assert f"{7:064x}"[:16] in tab.text("#card") and "mmx trace t007" in tab.text("#card")


def test_a_link_to_a_film_opens_it_also_in_an_open_report(tab: Page, report: Path) -> None:
    for name, title in (("t006", "Film 1 (1996)"), ("t008", "Film 3 (1998)")):
        tab.send("Page.navigate", url=f"{report.as_uri()}#film={name}")
        tab.wait(f"document.querySelector('#card h3')?.textContent === '{title}'")


def test_a_neighbour_leads_on(tab: Page, report: Path) -> None:
    tab.open(report, "#film=t010")
    neighbour = tab.texts("#card .near .film")[0]
    tab.click("#card .near .film")
    assert tab.text("#card h3") == neighbour


def test_the_maps_work_by_keyboard(tab: Page) -> None:
    tab.run("document.querySelector('.map canvas[tabindex]').focus()")
    tab.press("ArrowRight")
    first = tab.text("#card h3")
    seen = {first}
    for key in ("ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown"):
        tab.press(key)
        seen.add(tab.text("#card h3"))
        assert tab.text("#said") == f"Selected {tab.text('#card h3')}"
    assert len(seen) > 1
    tab.press("Escape")
    assert tab.run("document.getElementById('card').hidden")
    assert painted(tab) == [0, 0]


def test_the_first_tab_stop_leads_to_the_explorer(tab: Page) -> None:
    tab.press("Tab")
    assert tab.run("document.activeElement.textContent") == "To the explorer"
    tab.press("Enter")
    assert tab.run("location.hash") == "#explorer"


def test_untrusted_titles_are_text_everywhere(tab: Page, report: Path) -> None:
    for at, title in enumerate(EVIL):
        tab.open(report, f"#film=t{at:03d}")
        assert tab.text("#card h3").startswith(title)
        tab.click("#search")
        tab.run("document.getElementById('search').value = ''")
        tab.write(f"t{at:03d}")
        tab.wait("document.querySelectorAll('#results .film').length === 1")
        assert tab.text("#results .film").startswith(title)
    assert tab.events("Page.javascriptDialogOpening") == []
    assert not tab.run("[...document.images].some((one) => one.getAttribute('src') === 'x')")


def test_nothing_is_asked_of_any_network(tab: Page) -> None:
    tab.click("#theme")
    asked = {
        one["request"]["url"].partition(":")[0] for one in tab.events("Network.requestWillBeSent")
    }
    assert asked <= {"file", "data"}


def test_every_link_of_the_contents_leads_somewhere(tab: Page) -> None:
    links = tab.run("[...document.querySelectorAll('.contents a')].map((a) => a.hash)")
    for link in links:
        assert tab.run(f"document.querySelector('{link}').offsetHeight") > 0
    assert len(links) >= 9


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_the_layout_holds_at_every_width(tab: Page, report: Path, width: int) -> None:
    tab.resize(width, 800, mobile=width < 800)
    tab.open(report, "#film=t003")
    assert tab.run("document.documentElement.scrollWidth") <= width
    # What is wider than the screen scrolls by itself; nothing else is cut off.
    cut = tab.run(
        "[...document.querySelectorAll('main *')].filter((one) => one.offsetParent"
        " && !one.closest('.scroll, .visually-hidden, svg, .strip, .plane')"
        f" && one.getBoundingClientRect().right > {width} + 1).map((one) => one.outerHTML)"
    )
    assert cut == []


def test_on_a_phone_a_tap_selects(tab: Page, report: Path) -> None:
    tab.resize(390, 800, mobile=True)
    tab.open(report)
    tab.click(map_of(1), *place(tab, 20, 1))
    assert tab.text("#card h3").startswith("Film ")


def test_everything_that_can_be_used_has_a_name(tab: Page, report: Path) -> None:
    tab.open(report, "#film=t003")
    tree = tab.send("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "textbox", "searchbox", "spinbutton", "link", "image", "application"}
    used = [one for one in tree if one.get("role", {}).get("value") in roles and not one["ignored"]]
    nameless = [one for one in used if not one.get("name", {}).get("value", "").strip()]
    assert len(used) > 30 and nameless == []


def test_light_and_dark_are_a_choice(tab: Page) -> None:
    def ground() -> str:
        colour: str = tab.run("getComputedStyle(document.body).backgroundColor")
        return colour

    before = ground()
    tab.click("#theme")
    assert ground() != before
    tab.click("#theme")
    assert ground() == before
