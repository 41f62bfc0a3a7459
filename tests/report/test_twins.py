"""Duplicates side by side, and videos that are not there, on the page."""

import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cut_film import write_copy, write_film
from small_world import World, report_params

from mmx.acquisition.ledger import Attempt, append, ledger_path
from mmx.layout import Layout
from mmx.media.probe import probe
from mmx.report import keyframes, page, twins
from mmx.report.results import make_tables
from mmx.report.sources import read_sources
from mmx.report.stills import Stills
from mmx.trailers.duplicates import Pair
from mmx.trailers.likeness import Likeness
from mmx.trailers.pairs_table import write_pairs

pytestmark = pytest.mark.slow

TRIMMED = Likeness(0.93, 1.05, 2.0, 12.6, 0.88)


def with_facts(layout: Layout, trailer: str, video: Path) -> None:
    """Say of a trailer in the store how long its video is."""
    found = probe(video)
    for shard in (layout.features / "trailers").glob("*.parquet"):
        rows = pq.read_table(shard).to_pylist()
        for row in rows:
            if row["trailer_id"] == trailer:
                row["frames"] = found.frames_from_content
                row["duration_s"] = found.duration_from_content
        pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(shard)), shard)


@pytest.fixture(scope="module")
def layout(world: World, tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """The small collection with a pair that is accepted, two that are not, and a ledger."""
    folder = shutil.copytree(world.folder, tmp_path_factory.mktemp("twins") / "world")
    layout = replace(world, folder=folder).layout
    layout.videos.mkdir()
    whole = write_film(layout.videos / "t008.mp4", 1)
    write_copy(whole, layout.videos / "t009.mp4", "trim=start=2,setpts=(PTS-STARTPTS)/1.05")
    for name in ("t008", "t009"):
        with_facts(layout, name, layout.videos / f"{name}.mp4")
    rows = pq.read_table(layout.trailers).to_pylist()
    rows[11]["group_id"] = rows[10]["group_id"]
    pq.write_table(pa.Table.from_pylist(rows), layout.trailers)
    write_pairs(
        layout.duplicates,
        [
            Pair("t008", "t009", "near", TRIMMED),
            Pair("t010", "t011", "file"),
            Pair("t012", "gone", "file"),
        ],
    )
    made = [("a", "gone", "1999"), ("b", "private", "1999"), ("c", "gone", ""), ("d", "gone", "?"),
            ("e", "gone", "2001"), ("e", "there", "2001"), ("f", "refused", "2001")]  # fmt: skip
    for name, outcome, year in made:
        line = {"date": "d", "trailer_id": name, "outcome": outcome, "url": "u", "year": year}
        append(ledger_path(folder), Attempt(**line))
    return layout


@pytest.fixture(scope="module")
def shown(layout: Layout) -> list[twins.Twins]:
    return twins.twins(read_sources(layout, report_params()))


def test_proposed_pairs_come_first_and_absent_trailers_do_not(shown: list[twins.Twins]) -> None:
    found = [(each.first, each.second, each.accepted) for each in shown]
    assert found == [("t008", "t009", False), ("t010", "t011", True)]
    assert shown[0].evidence == [
        "light 0.93, pictures 0.88",
        "13 s are in both",
        "the second runs 5.0 % faster",
        "the second begins 2.0 s into the first",
    ]
    assert shown[1].why == "the same file" and shown[1].evidence == ()


def test_stills_below_each_other_are_of_the_same_moment(shown: list[twins.Twins]) -> None:
    first, second = ([keyframes.decode(url) for url in each] for each in shown[0].stills)
    assert len(first) == len(second) == twins.MOMENTS
    for at, one in enumerate(first):
        away = [abs(one.astype(float) - other).mean() for other in second]
        assert away[at] == min(away) and away[at] < 12
    assert shown[1].stills == ([], [])


def test_dead_links_are_counted_by_outcome_and_year_of_the_film(layout: Layout) -> None:
    dead = twins.dead_links(read_sources(layout, report_params()))
    assert dead and (dead.asked, dead.count) == (6, 4)
    assert list(dead.outcomes) == [("gone", 3), ("private", 1)]
    assert ">1999<" in dead.years and ">no year<" in dead.years and ">2001<" not in dead.years


def drawn(layout: Layout) -> str:
    sources = read_sources(layout, report_params())
    return page.build(sources, make_tables(sources), Stills(), [])


def test_the_page_shows_both_and_a_page_without_them_neither(world: World, layout: Layout) -> None:
    text = drawn(layout)
    assert 'href="#duplicates"' in text and text.count('class="query twins"') == 1
    assert "Videos that are not there" in text and "Of 6 videos" in text
    plain = drawn(world.layout)
    assert "#duplicates" not in plain and "Videos that are not there" not in plain
