"""The explorer in Chromium: what is painted where, and what a hand does on the maps."""

import csv
import json
from pathlib import Path

import pytest
from explorer_page import Colour, browser, chroma, film_at, pixel, report, show, tab, view
from small_world import GENRES, World

from benchmarks.chromium import Page

pytestmark = pytest.mark.browser
__all__ = ["browser", "report", "tab"]

COMEDY = GENRES.index("Comedy")


def test_films_that_do_not_match_are_grey_and_the_others_keep_their_colour(
    tab: Page, world: World, report: Path
) -> None:
    for theme in ("light", "dark"):
        tab.open(report)
        if theme == "dark":
            tab.click("#theme")
        comedies = [at for at, genres in enumerate(world.genres) if "Comedy" in genres]
        others = [at for at in range(len(world.ids)) if at not in comedies]
        before = {film: pixel(tab, film) for film in (*comedies, *others)}
        assert min(chroma(colour) for colour in before.values()) > 60
        tab.click(f'[data-genre="{COMEDY}"]')
        seen = {film: pixel(tab, film) for film in (*comedies, *others)}
        # On these maps films of one genre set lie together, far from the others.
        assert max(chroma(seen[film]) for film in others) < 20, theme
        assert min(chroma(seen[film]) for film in comedies) > 60, theme


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_ring_of_the_selected_film_stands_out(tab: Page, report: Path, theme: str) -> None:
    tab.open(report, "#film=t007")
    if theme == "dark":
        tab.click("#theme")
    ring = pixel(tab, 7, across=7, layer=2)
    ground = tab.run("getComputedStyle(document.querySelector('.plane')).backgroundColor")
    brightness = sum(int(part) for part in ground[4:-1].split(",")) / 3
    assert abs(sum(ring[:3]) / 3 - brightness) > 120, (ring, ground)


def test_colours_follow_the_chosen_field(tab: Page, world: World) -> None:
    def colours(field: str) -> dict[int, Colour]:
        show(tab, f"colour={field}")
        return {film: pixel(tab, film) for film in range(len(world.ids))}

    splits = json.loads(tab.text("#films"))["splits"]
    seen = colours("split")
    # Where films overlap a pixel is a mixture; alone in their colour, they are a minority.
    assert len({seen[film] for film in seen}) >= len(set(splits))
    assert tab.texts("#key span") == [
        name for name in ("train", "validation", "test") if name in splits
    ]
    one = colours(f"is:{COMEDY}")
    is_comedy = {film: "Comedy" in genres for film, genres in enumerate(world.genres)}
    assert min(chroma(one[film]) for film, comedy in is_comedy.items() if comedy) > 60
    assert max(chroma(one[film]) for film, comedy in is_comedy.items() if not comedy) < 12
    colours("year")
    assert tab.texts("#key span")[0] == "1990"
    probable = json.loads(tab.text("#films"))["probabilities"]
    seen = colours(f"odds:{COMEDY}")
    surest = max(range(len(probable)), key=lambda film: probable[film][COMEDY])
    least = min(range(len(probable)), key=lambda film: probable[film][COMEDY])
    assert seen[surest][0] > seen[least][0] and seen[surest][2] < seen[least][2]
    tab.run("films.experts = ['look', 'sound'], films.missing = films.ids.map(() => [])")
    tab.run("films.missing[3] = [1], films.missing[4] = [0, 1]")
    of = "byMissing().of"
    assert tab.run(
        f"[{of}(3), {of}(4), {of}(5)].map((one) => byMissing().key.find((entry) =>"
        " entry[1] === one)[0])"
    ) == ["sound", "several experts", "none missing"]
    colours("nonsense")
    assert tab.run("document.getElementById('colour').value") == "genre"


def test_the_wheel_zooms_at_the_pointer(tab: Page) -> None:
    before = film_at(tab, 17)
    tab.wheel(*before, -300)
    tab.wait("location.hash.includes('view=0')")
    assert film_at(tab, 17) == pytest.approx(before, abs=1)
    assert view(tab)[0] == pytest.approx(2, rel=0.01)
    far = film_at(tab, 3)
    tab.wheel(*before, -300)
    tab.wait("location.hash.includes('view=0+4')")
    assert film_at(tab, 3) != pytest.approx(far, abs=4)
    tab.wheel(*before, 3000)
    tab.wait("!location.hash.includes('view=')")
    assert view(tab) == [1, 0, 0]


def test_a_double_click_zooms_at_the_pointer(tab: Page) -> None:
    x, y = film_at(tab, 17)
    place = (x + 20, y + 20)
    tab.run(
        "document.querySelectorAll('.map canvas')[1].dispatchEvent(new MouseEvent('dblclick',"
        f" {{clientX: {place[0]}, clientY: {place[1]}}}))"
    )
    moved = film_at(tab, 17)
    assert (moved[0] - place[0], moved[1] - place[1]) == pytest.approx((-40, -40), abs=1)


def test_a_drag_moves_the_map_at_any_zoom_and_goes_on_outside(tab: Page) -> None:
    start = film_at(tab, 17)
    outside = (start[0] + 30, 2.0)
    tab.drag([(start[0], start[1] + 30), (start[0] + 30, start[1] + 60), outside])
    moved = film_at(tab, 17)
    width, height = tab.run("[maps[0].width, maps[0].height]")
    limit = 0.5 * (height - 36)
    expected = max(start[1] + outside[1] - start[1] - 30, start[1] - limit)
    assert moved == pytest.approx((start[0] + 30, expected), abs=2)
    assert width > 100
    # What was a drag is not a click.
    assert tab.run("document.getElementById('card').hidden")


@pytest.mark.parametrize("tool", ["lasso", "box", "shift"])
def test_an_outline_chooses_the_films_inside(tab: Page, tool: str) -> None:
    films = json.loads(tab.text("#films"))
    xy = films["spaces"][0]["xy"]
    x, y = film_at(tab, 17)
    # Less than the margin of a map, so that the outline begins on it.
    reach = 16
    if tool != "shift":
        tab.click(f'[data-tool="{tool}"]')
        x, y = film_at(tab, 17)
    first, opposite = (x - reach, y - reach), (x + reach, y + reach)
    corners = [(x + reach, y - reach), opposite, (x - reach, y + reach)]
    tab.drag([first, *([opposite] if tool == "box" else corners)], shift=tool == "shift")
    width, height = tab.run("[maps[0].width - 36, maps[0].height - 36]")
    inside = [
        film
        for film in range(len(films["ids"]))
        if abs(xy[2 * film] - xy[34]) / 1000 * width < reach - 1
        and abs(xy[2 * film + 1] - xy[35]) / 1000 * height < reach - 1
    ]
    chosen = tab.run("found")
    assert 17 in inside and set(inside) <= set(chosen) and len(chosen) <= len(inside) + 2
    assert tab.text("#found") == f"{len(chosen)} of 48 trailers"
    assert tab.run("location.hash").startswith("#area=0")
    tab.press("Escape")
    assert tab.text("#found") == "48 trailers"


def test_two_fingers_zoom(tab: Page, report: Path) -> None:
    tab.resize(390, 800, mobile=True)
    tab.open(report)
    x, y = film_at(tab, 17)
    tab.touch("Start", (x - 20, y), (x + 20, y))
    for reach in (24, 30, 40):
        tab.touch("Move", (x - reach, y), (x + reach, y))
    tab.touch("End")
    assert view(tab)[0] == pytest.approx(2, rel=0.05)
    assert film_at(tab, 17) == pytest.approx((x, y), abs=4)


def test_any_of_several_genres_or_all_of_them(tab: Page, world: World) -> None:
    chosen = {"Comedy", "Drama"}
    for genre in chosen:
        tab.click(f'[data-genre="{GENRES.index(genre)}"]')
    both = [genres for genres in world.genres if chosen <= set(genres)]
    assert tab.run("found.length") == len(both)
    tab.click("#any")
    either = [genres for genres in world.genres if chosen & set(genres)]
    assert tab.run("found.length") == len(either) > len(both)
    action = sum("Action" in genres for genres in either)
    assert tab.text(f'[data-genre="{GENRES.index("Action")}"] small') == str(action)


def test_a_range_is_dragged_over_its_histogram(tab: Page) -> None:
    left, top, width, height = tab.run(
        "(() => { const one = document.querySelector('.bars'); one.scrollIntoView({block:"
        " 'center'}); const box = one.getBoundingClientRect();"
        " return [box.left, box.top, box.width, box.height]; })()"
    )
    years = [year for year in json.loads(tab.text("#films"))["years"] if year]
    middle, end = (left + width / 2, top + height / 2), (left + width + 9, top + height / 2)
    tab.drag([middle, end])
    first = int(tab.run("document.getElementById('year-from').value"))
    assert abs(first - (min(years) + max(years)) / 2) <= 2
    assert tab.run("found.length") == sum(year >= first for year in years)
    assert f"year={first}-" in tab.run("location.hash")


def test_the_list_sorts_and_shows_more(tab: Page, world: World) -> None:
    tab.run("document.getElementById('order').value = 'title'")
    tab.run("document.getElementById('order').dispatchEvent(new Event('change'))")
    titles = tab.texts("#results .film")
    folded = [title.lower() for title in titles]
    assert len(titles) == 48 and folded[:3] == sorted(folded)[:3]
    tab.run("showList(found, 10)")
    assert tab.text("#more") == "Show 38 more"
    tab.click("#more")
    assert len(tab.texts("#results .film")) == 48


def test_the_list_leaves_the_page_as_csv(tab: Page, world: World) -> None:
    rows = list(csv.DictReader(tab.run("toCsv(found)").splitlines()))
    assert [row["trailer_id"] for row in rows] == world.ids
    assert [row["genres"].split("|") for row in rows] == world.genres
    assert [tab.run(f"csvCell({json.dumps(text)})") for text in ("=1+1", 'a "b"', "a,b")] == [
        "'=1+1",
        '"a ""b"""',
        '"a,b"',
    ]
    tab.click("#csv")


def test_a_link_leads_back_to_what_is_seen(tab: Page, report: Path) -> None:
    tab.click(f'[data-genre="{COMEDY}"]')
    tab.click('.map [data-zoom="2"]')
    tab.run("document.getElementById('colour').value = 'year'")
    tab.run("document.getElementById('colour').dispatchEvent(new Event('change'))")
    x, y = film_at(tab, 17)
    tab.drag([(x - 9, y - 9), (x + 9, y - 9), (x + 9, y + 9), (x - 9, y + 9)], shift=True)
    tab.click("#results .film")
    tab.wait("location.hash.includes('view=')")
    link = tab.run("location.hash")
    shown = "[found, state.selected, maps.map((map) => map.view), state.colour, state.any]"
    seen = tab.run(shown)
    tab.open(report, link)
    assert tab.run(shown) == seen
    assert 0 < len(seen[0]) < 48 and seen[1] >= 0


@pytest.mark.parametrize(
    "address", ["film=t999", "area=0+1", "area=9+1+2+3+4+5+6", "view=7+2+0+0", "view=0+x", "%E0%A4"]
)
def test_an_address_that_makes_no_sense_shows_everything(
    tab: Page, report: Path, address: str
) -> None:
    tab.open(report, f"#q=&{address}")
    assert tab.text("#found") == "48 trailers" and view(tab) == [1, 0, 0]
    assert tab.run("document.getElementById('card').hidden")


def test_escape_takes_back_one_change_after_the_other(tab: Page) -> None:
    tab.click(f'[data-genre="{COMEDY}"]')
    comedies = tab.text("#found")
    tab.click(f'[data-genre="{GENRES.index("Drama")}"]')
    tab.click("#results .film")
    tab.press("Escape")
    assert tab.run("document.getElementById('card').hidden")
    tab.press("Escape")
    assert tab.text("#found") == comedies
    tab.press("Escape")
    assert tab.text("#found") == "48 trailers"
    tab.press("Escape")
    assert tab.text("#found") == "48 trailers"


def test_clear_takes_back_everything_at_once(tab: Page) -> None:
    assert tab.run("document.getElementById('clear').hidden")
    tab.click(f'[data-genre="{COMEDY}"]')
    tab.click("#any")
    tab.click("#clear")
    assert tab.text("#found") == "48 trailers"
    assert tab.run("document.getElementById('clear').hidden")


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1280, 640), (1024, 768)])
def test_the_card_opens_beside_the_maps(tab: Page, report: Path, width: int, height: int) -> None:
    tab.resize(width, height)
    tab.open(report, "#film=t007")
    card, plane = (
        tab.run(
            f"(() => {{ const box = document.querySelector('{one}').getBoundingClientRect();"
            " return [box.left, box.top, box.right, box.bottom]; })()"
        )
        for one in (".dock", ".plane")
    )
    assert card[0] > plane[2] and abs(card[1] - plane[1]) < 2 and abs(card[3] - plane[3]) < 40
