from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.patches import Rectangle
from small_world import GENRES, World, report_params

from mmx.report import diagram, exhibits, figures, pictures
from mmx.report.exhibits import Pictures
from mmx.report.sources import Sources, read_sources


@pytest.fixture(scope="module")
def sources(world: World) -> Sources:
    return read_sources(world.layout, report_params())


@pytest.fixture(scope="module")
def stills() -> Pictures:
    """A still for every film but the first."""
    rng = np.random.default_rng(0)
    return {film: rng.integers(0, 255, (9, 16, 3), np.uint8) for film in range(1, 48)}


@pytest.mark.slow
def test_equal_numbers_give_equal_pictures(
    sources: Sources, stills: Pictures, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        figures.write_figures(tmp_path / name, sources, stills)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    numbers = [f"figure{number}" for number in range(1, 11)]
    assert names == sorted(f"{name}.{ending}" for name in numbers for ending in ("png", "svg"))
    for name in numbers:
        drawing = (tmp_path / "one" / f"{name}.svg").read_bytes()
        assert drawing == (tmp_path / "two" / f"{name}.svg").read_bytes()
        root = ElementTree.fromstring(drawing)
        assert root.tag.endswith("}svg") and len(list(root.iter())) > 20
        assert b"Matplotlib" not in drawing and b"<script" not in drawing
    for name in [f"{name}.png" for name in numbers]:
        picture = (tmp_path / "one" / name).read_bytes()
        assert picture == (tmp_path / "two" / name).read_bytes()
        assert b"Software" not in picture and b"tEXt" not in picture
        assert imread(tmp_path / "one" / name).std() > 0.01


def test_both_maps_show_every_trailer(sources: Sources) -> None:
    for axes in figures.draw_maps(sources.table, GENRES).axes:
        assert sum(len(np.asarray(points.get_offsets())) for points in axes.collections) == 48
        assert [points.get_label() for points in axes.collections] == GENRES[:3]


def test_the_silhouette_has_a_point_per_epoch_that_has_one() -> None:
    rows: list[dict[str, Any]] = [{"epoch": 0, "silhouette": 0.5}, {"epoch": 1, "silhouette": None}]
    [line] = figures.draw_silhouette([*rows, {"epoch": 2, "silhouette": 0.1}]).axes[0].lines
    np.testing.assert_array_equal(line.get_xydata(), [[0, 0.5], [2, 0.1]])
    [empty] = figures.draw_silhouette([rows[1]]).axes[0].lines
    assert len(np.asarray(empty.get_xydata())) == 0


def test_curves_have_a_panel_each(sources: Sources) -> None:
    experts = {"Audio": {"all": sources.curves["all"]}}
    shown = [axes for axes in figures.draw_curves(sources.curves, experts).axes if axes.lines]
    assert [axes.get_title() for axes in shown] == ["all", *GENRES[:3]]
    assert [len(axes.lines) for axes in shown] == [2, 1, 1, 1]


def test_without_stills_there_is_no_contact_sheet(sources: Sources) -> None:
    assert [number for number, _ in figures.draw_all(sources, {})] == [1, 2, *range(4, 11)]


def titles(figure: Figure) -> list[str]:
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def test_retrieved_films_have_pictures_besides_the_evenly_spaced(sources: Sources) -> None:
    few = sources.params.evaluate.model_copy(update={"pictured": 2})
    params = sources.params.model_copy(update={"evaluate": few})
    found = exhibits.pictured(replace(sources, params=params))
    rows = exhibits.retrievals(sources)
    shown = {film for row in rows for film in (row["query"], *row["coarse"], *row["fine"])}
    assert set(found) == shown | {12, 36}


def test_the_contact_sheet_names_its_films(sources: Sources, stills: Pictures) -> None:
    found = titles(pictures.draw_sheet(sources.films, stills))
    assert len(found) == 47 and found[-1] == "Film 42"


def test_retrieval_shows_each_query_with_its_nearest(sources: Sources) -> None:
    found = exhibits.retrievals(sources, count=2, depth=3)
    single = titles(pictures.draw_retrieval(sources.films, {}, found, ["fine"]))
    both = titles(pictures.draw_retrieval(sources.films, {}, found, ["coarse", "fine"]))
    names = [film.title for film in sources.films]
    row = found[0]
    assert single[:4] == [names[at][:24] for at in (row["query"], *row["fine"])]
    assert both[:4] == [names[at][:24] for at in (row["query"], *row["coarse"])]
    assert (len(single), len(both)) == (8, 16)


def test_genres_over_time_have_a_cell_per_sequence(sources: Sources) -> None:
    strips = exhibits.running_times(sources, count=3)
    clips = exhibits.clip_times(sources, strips)
    for strip, alone in zip(strips, clips, strict=True):
        assert (alone.film, alone.genres) == (strip.film, strip.genres)
        [per_genre] = {len(values) for values in alone.values}
        assert per_genre == len(alone.spans) - 1 > len(strip.spans) - 1
        assert (alone.spans[0], alone.spans[-1]) == (strip.spans[0], strip.spans[-1])
    figure = pictures.draw_times(sources.films, GENRES, strips)
    for axes, strip in zip(figure.axes, strips, strict=False):
        [mesh] = axes.collections
        cells = mesh.get_array()
        assert cells is not None
        assert cells.size == len(strip.genres) * (len(strip.spans) - 1)
        assert [label.get_text() for label in axes.get_yticklabels()] == list(strip.genres)


def test_diagrams_say_what_the_page_says(sources: Sources) -> None:
    described = sources.description
    plan = diagram.plan_network(described.config, described.experts)
    [axes] = pictures.draw_diagram(plan).axes
    assert [text.get_text() for text in axes.texts] == [label.text for label in plan.labels]


def test_titles_are_not_mathematics_and_are_shortened(sources: Sources) -> None:
    odd = [replace(film, title="$x_{" + "long " * 9) for film in sources.films]
    figure = pictures.draw_sheet(odd, {3: np.zeros((9, 16, 3), np.uint8)})
    figure.savefig(BytesIO())
    assert titles(figure) == ["$x_{long long long long…"]


def test_statistics_count_genres(sources: Sources) -> None:
    bars = figures.draw_statistics(sources.archive, GENRES).axes[0].patches
    assert [bar.get_width() for bar in bars if isinstance(bar, Rectangle)] == [0, 24, 24, 24]


def test_colours_differ() -> None:
    assert len({figures._colour(genre, 21) for genre in range(21)}) == 21
