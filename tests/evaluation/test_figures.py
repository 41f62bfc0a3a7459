from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from small_world import GENRES, World, report_params

from mmx.evaluation import figures
from mmx.evaluation.sources import Sources, read_sources


@pytest.fixture(scope="module")
def sources(world: World) -> Sources:
    return read_sources(world.layout, report_params())


def test_equal_numbers_give_equal_pictures(sources: Sources, tmp_path: Path) -> None:
    for name in ("one", "two"):
        figures.write_figures(tmp_path / name, sources)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["figure1.png", "figure4.png", "figure6.png", "figure9.png"]
    for name in names:
        picture = (tmp_path / "one" / name).read_bytes()
        assert picture == (tmp_path / "two" / name).read_bytes()
        assert b"Software" not in picture and b"tEXt" not in picture
        assert imread(tmp_path / "one" / name).std() > 0.01


def test_both_maps_show_every_trailer(sources: Sources) -> None:
    for axes in figures.draw_maps(sources.table, GENRES).axes:
        assert sum(len(points.get_offsets()) for points in axes.collections) == 48
        assert [points.get_label() for points in axes.collections] == GENRES[:3]


def test_the_silhouette_has_a_point_per_epoch_that_has_one() -> None:
    rows = [{"epoch": 0, "silhouette": 0.5}, {"epoch": 1, "silhouette": None}]
    [line] = figures.draw_silhouette([*rows, {"epoch": 2, "silhouette": 0.1}]).axes[0].lines
    np.testing.assert_array_equal(line.get_xydata(), [[0, 0.5], [2, 0.1]])
    [empty] = figures.draw_silhouette([rows[1]]).axes[0].lines
    assert len(empty.get_xydata()) == 0


def test_curves_have_a_panel_each(sources: Sources) -> None:
    shown = [axes for axes in figures.draw_curves(sources.curves).axes if axes.lines]
    assert [axes.get_title() for axes in shown] == ["all", *GENRES[:3]]


def test_statistics_count_genres(sources: Sources) -> None:
    bars = figures.draw_statistics(sources.archive, GENRES).axes[0].patches
    assert [bar.get_width() for bar in bars] == [0, 24, 24, 24]


def test_colours_differ() -> None:
    assert len({figures._colour(genre, 21) for genre in range(21)}) == 21
