"""The explorer for any table."""

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from explorer_page import browser

from benchmarks.chromium import Page
from mmx.report.explore import Columns, Layout, Space, TableFault, explore

__all__ = ["browser"]
FILMS: dict[str, list[Any]] = {
    "id": ["a", "b", "c", "d"],
    "title": ["Alien", "</script>", "Cube", "Dune"],
    "year": [1979, None, 1997, 2021],
    "labels": [["Horror"], ["Drama", "Horror"], [], ["Drama"]],
    "x": [0.0, 1.0, 0.0, 9.0],
    "y": [0.0, 0.0, 2.0, 9.0],
    "look": [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 1.0]],
}


def table(folder: Path, **changed: Any) -> Path:
    path = folder / "films.parquet"
    pq.write_table(pa.table({**FILMS, **changed}), path)
    return path


def data(page: Path) -> dict[str, Any]:
    found = re.search(r'id="films">(.*?)</script>', page.read_text())
    assert found
    read: dict[str, Any] = json.loads(found.group(1))
    return read


def test_usual_names_need_not_be_told(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert explore(table(tmp_path), Columns(), Layout(neighbours=2), page) == 4
    films = data(page)
    assert films["titles"] == FILMS["title"] and films["years"] == FILMS["year"]
    assert films["genres"] == ["Drama", "Horror"]
    assert films["labels"] == [[1], [0, 1], [], [0]]
    [space] = films["spaces"]
    assert space["near"][:4] == [1, 2, 0, 2]
    diagonal = np.hypot(9, 9)
    assert space["similarity"][:2] == [round(1000 * (1 - d / diagonal)) for d in (1, 2)]


def test_a_vector_and_a_map_are_two_spaces(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    spaces = (Space.read("look"), Space.read("map = x, y".replace(" ", "")))
    explore(table(tmp_path), Columns(spaces=spaces), Layout(neighbours=1), page)
    films = data(page)
    assert [space["name"] for space in films["spaces"]] == ["look", "map"]
    assert films["spaces"][0]["near"] == [1, 0, 3, 2]


def test_csv_and_pictures_below_the_table(tmp_path: Path) -> None:
    (tmp_path / "stills").mkdir()
    still = np.zeros((9, 16, 3), np.uint8)
    assert cv2.imwrite(str(tmp_path / "stills" / "a.png"), still)
    assert cv2.imwrite(str(tmp_path.parent / "other.png"), still)
    (tmp_path / "films.csv").write_text(
        "id,labels,x,y,picture\n1,Drama|War,0,0,stills/a.png\n2,,1,1,../other.png\n3,War,2,0,no.png\n"
    )
    page = tmp_path / "page.html"
    explore(tmp_path / "films.csv", Columns(), Layout(), page)
    films = data(page)
    assert films["ids"] == ["1", "2", "3"] and films["labels"] == [[1, 0], [], [0]]
    sheets = films["stills"]["sheets"]
    assert sheets[0].startswith("data:image/webp;base64,") and sheets[1:] == ["", ""]
    assert films["stills"]["clips"] == [1, 0, 0]
    assert not (tmp_path / "page-stills").exists()


def test_many_pictures_lie_beside_the_page(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((9, 16, 3), 200, np.uint8))
    (tmp_path / "films.csv").write_text("id,x,y,picture\n1,0,0,a.png\n2,1,1,b.png\n")
    page = tmp_path / "a page.html"
    explore(tmp_path / "films.csv", Columns(), Layout(inside=0.0), page)
    sheets = data(page)["stills"]["sheets"]
    assert sheets == ["a%20page-stills/000000.webp", "a%20page-stills/000001.webp"]
    assert all((tmp_path / "a page-stills" / f"00000{at}.webp").is_file() for at in (0, 1))


def test_one_film_has_no_neighbours(tmp_path: Path) -> None:
    path = tmp_path / "films.parquet"
    pq.write_table(pa.table({name: values[:1] for name, values in FILMS.items()}), path)
    page = tmp_path / "page.html"
    assert explore(path, Columns(), Layout(), page) == 1
    assert data(page)["k"] == 0


@pytest.mark.parametrize(
    ("changed", "columns", "said"),
    [
        ({"id": ["a", "a", "b", "c"]}, Columns(), "'id' has a value more than once"),
        ({}, Columns(title="name"), "no column 'name'; the table has 'id', 'title'"),
        ({}, Columns(spaces=(Space.read("look=x,y,id"),)), "one column of vectors, or two"),
        ({}, Columns(spaces=(Space.read("x"),)), "'x' is not a vector of one length"),
        ({}, Columns(spaces=(Space.read("look"),) * 3), "3 spaces are given"),
        ({"look": [[1.0], [1.0, 2.0], [1.0], [1.0]]}, Columns(spaces=(Space.read("look"),)), "one"),
        ({"x": [1.0, 2.0, None, 3.0]}, Columns(), "missing or not finite"),
        ({"x": ["a", "b", "c", "d"]}, Columns(), "no numbers"),
        ({"year": ["?", "1", "2", "3"]}, Columns(), "'?' is not a year"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(
    tmp_path: Path, changed: dict[str, Any], columns: Columns, said: str
) -> None:
    with pytest.raises(TableFault, match=re.escape(said)):
        explore(table(tmp_path, **changed), columns, Layout(), tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "cannot be read"),
        ("id,x,y\n", "no rows"),
        ("x,y\n1,2\n", "--id"),
        ("id\n1\n", "--space"),
    ],
)
def test_tables_without_what_is_needed(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "films.csv"
    path.write_text(content)
    with pytest.raises(TableFault, match=said):
        explore(path, Columns(), Layout(), tmp_path / "page.html")


@pytest.mark.browser
def test_the_page_works(tmp_path: Path, browser: Any) -> None:
    page = tmp_path / "page.html"
    explore(table(tmp_path), Columns(), Layout(), page)
    tab = Page(browser)
    tab.open(page, "#film=b")
    assert tab.text("#card h3") == "</script>"
    tab.click('[data-genre="1"]')
    assert tab.text("#found") == "2 of 4 trailers"
    assert tab.events("Runtime.exceptionThrown") == []
    tab.close()
