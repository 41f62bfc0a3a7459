"""Clusters and density in Chromium: what is painted, written and filtered."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explorer_page import browser, chroma, pixel, report, show, tab
from small_world import GENRES

from benchmarks.chromium import Page

pytestmark = pytest.mark.browser
__all__ = ["browser", "report", "tab"]


def space(tab: Page) -> Any:
    return json.loads(tab.text("#films"))["spaces"][0]


def written(tab: Page) -> int:
    """How many pixels are marked on top of the first map."""
    marked: int = tab.run(
        "(() => { const one = maps[0].top; return one.getContext('2d')"
        ".getImageData(0, 0, one.width, one.height).data.filter(Boolean).length; })()"
    )
    return marked


def test_films_have_the_colour_of_their_cluster_and_its_name_is_written(tab: Page) -> None:
    clusters, names = space(tab)["clusters"], space(tab)["names"]
    assert len(names) == max(clusters) + 1 >= 3
    tab.run("document.getElementById('colour').value = 'cluster:0'")
    tab.run("document.getElementById('colour').dispatchEvent(new Event('change'))")
    assert tab.texts("#key button") == [f"{at + 1} {name}" for at, name in enumerate(names)]
    assert written(tab) > 500
    tab.click("#names")
    assert written(tab) == 0
    # Clusters of the small collection lie apart: a film's pixel is of its own colour.
    colours = [tab.run(f"[...rgb(clusterColour({at}))]") for at in range(len(names))]
    own = [
        min(range(len(names)), key=lambda at: np.abs(np.subtract(colours[at], seen[:3])).sum())
        for seen in (pixel(tab, film) for film in range(len(clusters)))
    ]
    assert np.mean(np.equal(own, clusters)) > 0.9


def test_a_cluster_is_shown_alone_by_its_entry_in_the_key(tab: Page, report: Path) -> None:
    clusters = space(tab)["clusters"]
    tab.open(report, "#colour=cluster:0")
    tab.click('#key [data-cluster="0 1"]')
    members = [film for film, own in enumerate(clusters) if own == 1]
    assert tab.run("found") == members
    link = tab.run("location.hash")
    tab.open(report, link)
    assert tab.run("found") == members
    tab.click('#key [data-cluster="0 1"]')
    assert tab.text("#found") == "48 trailers"


@pytest.mark.parametrize("address", ["cluster=0+99", "cluster=7+0", "cluster=x"])
def test_a_cluster_that_is_not_there_shows_everything(
    tab: Page, report: Path, address: str
) -> None:
    tab.open(report, f"#q=&{address}")
    assert tab.text("#found") == "48 trailers"


def test_density_is_the_more_opaque_the_more_films_lie_there(tab: Page, report: Path) -> None:
    tab.open(report, "#density=1")
    tab.wait("maps[0].height === maps[0].plane.clientHeight")
    cells = tab.run(
        "(() => { const { across, films } = gathered(maps[0], state.shown, state.colours);"
        " return [...films.keys()].filter((at) => films[at]).map((at) => [films[at],"
        " ...maps[0].base.getContext('2d').getImageData((at % across) * CELL + 2,"
        " Math.floor(at / across) * CELL + 2, 1, 1).data]); })()"
    )
    assert sum(cell[0] for cell in cells) == 48 and max(cell[0] for cell in cells) > 1
    opacity = {count: {cell[4] for cell in cells if cell[0] == count} for count, *_ in cells}
    in_order = [max(opacity[count]) for count in sorted(opacity)]
    assert in_order == sorted(in_order) and in_order[0] < 200 < in_order[-1]
    assert all(chroma((cell[1], cell[2], cell[3], cell[4])) > 20 for cell in cells[:5])


def test_the_histogram_of_genres_follows_the_filters(tab: Page) -> None:
    def bar(genre: str, name: str) -> float:
        chip = f'[data-genre="{GENRES.index(genre)}"]'
        return float(tab.run(f"document.querySelector('{chip}').style.getPropertyValue('{name}')"))

    totals = {genre: bar(genre, "--all") for genre in GENRES}
    assert totals["War"] == 0 and max(totals.values()) == 1
    show(tab, "genre=Comedy")
    assert bar("Comedy", "--now") == totals["Comedy"]
    assert 0 < bar("Drama", "--now") < totals["Drama"]
