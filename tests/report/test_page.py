import base64
import csv
import hashlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from small_world import EVIL, GENRES, World, quick_params, report_params

from mmx.evaluation.ablations import ablate_item
from mmx.report import page

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Recorded:
    step: str
    trailer: str
    reason: str


FAULT = Recorded("flow", "t007", "the video ends <u>early</u>")


class Reader(HTMLParser):
    """What a browser would make of a page, as far as these tests ask."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str | None]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in ("meta", "link", "br", "img", "input"):
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, text: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += text
        else:
            self.words.append(text.strip())

    def values(self, name: str) -> Iterator[str | None]:
        return (value for _, found, value in self.attributes if found == name)


@pytest.fixture(scope="module")
def text(world: World) -> str:
    path = page.render(world.layout, report_params(), faults=[FAULT])
    assert path == world.layout.reports / "index.html"
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def read(text: str) -> Reader:
    return Reader(text)


def test_the_page_is_well_formed(read: Reader) -> None:
    assert read.open == []
    names = [value for value in read.values("id")]
    assert len(names) == len(set(names))


@pytest.mark.slow
def test_equal_inputs_give_equal_bytes(world: World, text: str) -> None:
    again = page.render(world.layout, report_params(), faults=[FAULT])
    assert again.read_text(encoding="utf-8") == text


def test_untrusted_text_is_escaped(read: Reader) -> None:
    assert read.tags["script"] == 2
    assert read.tags["i"] and not read.tags["u"] and not read.tags["b"] - count_marks(read)
    handlers = [name for _, name, _ in read.attributes if name.startswith("on")]
    assert handlers == []
    for title in EVIL:
        assert any(title.strip() in word for word in read.words), title
    assert FAULT.reason in read.words


def count_marks(read: Reader) -> int:
    """The <b> that the page itself has: marks in bars, names of small curves."""
    return sum(value == "bar" for value in read.values("class")) + 1 + 3


def test_the_films_cannot_leave_their_script(read: Reader) -> None:
    films = json.loads(read.scripts[0])
    assert films["titles"][: len(EVIL)] == EVIL
    assert "<" not in read.scripts[0]
    assert films["genres"] == GENRES


def test_only_the_pages_own_script_may_run(read: Reader) -> None:
    policy = next(value for value in read.values("content") if value and "script-src" in value)
    digest = base64.b64encode(hashlib.sha256(read.scripts[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")


def test_nothing_is_requested(read: Reader, text: str) -> None:
    assert not read.tags["link"] and not read.tags["iframe"]
    for name in ("src", "href", "action", "poster", "srcset"):
        assert all(value and value.startswith(("#", "data:")) for value in read.values(name))
    assert not re.search(r"url\((?!\"\$\{stills)|@import|fetch\(|XMLHttpRequest", text)


def test_no_machine_shows(text: str, world: World) -> None:
    assert str(world.folder) not in text
    assert str(Path.home()) not in text


def test_every_table_and_figure_has_its_place(read: Reader) -> None:
    marks = " ".join(word for word in read.words if re.match(r"(Figures?|Table) \d", word))
    for name in ("Table 1", "Table 2", "Table 3", "Table 4", "Table 5"):
        assert name in marks
    found = {
        int(number)
        for number in re.findall(r"\d+", " ".join(re.findall(r"Figures? [\d, ]+", marks)))
    }
    assert found == set(range(1, 11)) - {3}  # no video is there: no contact sheet


def test_rejections_and_faults_are_told(read: Reader) -> None:
    assert "genre 'Musical' <i>is not</i> in the vocabulary" in read.words
    assert "<b>x" in read.words
    assert {"flow", "t007"} <= set(read.words)


def test_the_papers_figures_are_marked(read: Reader) -> None:
    partings = [word for word in read.words if "another data set" in word]
    assert len(partings) >= 2
    assert "0.597" in read.words


def test_a_genre_without_positives_is_not_zero(text: str) -> None:
    row = text[text.index('<th scope="row">War</th>') :].split("</tr>")[0]
    assert row.count("n/a") == 6


def test_tables_are_written_beside_the_page(world: World, text: str) -> None:
    folder = world.layout.evidence
    names = {path.name for path in folder.iterdir() if path.suffix not in (".png", ".svg")}
    stems = ["table1", "table2", "table3", "table4", "table5", "similarity"]
    assert names == {f"{stem}.{end}" for stem in stems for end in ("csv", "json")}
    with (folder / "table4.csv").open(newline="") as file:
        titles = [row["title"] for row in csv.DictReader(file)]
    assert titles and not any(title.startswith("=") for title in titles)
    [own] = json.loads((folder / "table1.json").read_text())
    assert (own["trailers"], own["genres_per_trailer"]) == (48, 2)


@pytest.mark.slow
def test_a_corrected_title_shows_without_evaluating(
    world: World, text: str, tmp_path: Path
) -> None:
    copy = replace(world, folder=shutil.copytree(world.folder, tmp_path / "copy")).layout
    table = pq.read_table(copy.trailers)
    at, titles = table.column_names.index("title"), table["title"].to_pylist()
    pq.write_table(table.set_column(at, "title", [["Renamed", *titles[1:]]]), copy.trailers)
    found = page.render(copy, report_params()).read_text(encoding="utf-8")
    assert "Renamed" in found and "Renamed" not in text


@pytest.mark.slow
def test_ablations_join_tables_and_curves(world: World, text: str, tmp_path: Path) -> None:
    world = replace(world, folder=shutil.copytree(world.folder, tmp_path / "copy"))
    folder = world.layout.ablations
    for name in ("audio", "naive", "length-1"):
        (folder / name).mkdir(parents=True)
        ablate_item(variant=name, **world.data, params=quick_params(2), out=folder / name)
    read = Reader(page.render(world.layout, report_params()).read_text(encoding="utf-8"))
    assert "Naive concatenation" in read.words
    assert any(re.fullmatch(r"\d\.\d{3} ± \d\.\d{3}", word) for word in read.words)
    rows = json.loads((world.layout.evidence / "table5.json").read_text())
    assert [row["length"] for row in rows] == [1, 3]
    models = [r["model"] for r in json.loads((world.layout.evidence / "table2.json").read_text())]
    assert models[:3] == ["Support", "Audio", "Naive concatenation"]
    assert not any("±" in word for word in Reader(text).words)
