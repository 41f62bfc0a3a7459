"""A user's table of probes: what is read of it, and what is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_world import World, quick_params
from worlds import world

from mmx.probe_table import ProbeError, read_probes, try_probes
from mmx.project import open_project

__all__ = ["world"]
TEXT = "\ufefftrailer_id,Director,tags\nt001,Ann,a|b\nt002,, b | c \nelsewhere,Bob,a\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "probes.csv"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_a_column_is_a_probe_and_a_cell_may_have_several_values(table: Path) -> None:
    assert read_probes(table, ["t001", "t002", "t003"]) == {
        "director": [frozenset({"Ann"}), frozenset(), frozenset()],
        "tags": [frozenset({"a", "b"}), frozenset({"b", "c"}), frozenset()],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trailer_id\nt001\n", "no column beside trailer_id"),
        ("trailer_id,x\nt001,a\nt001,b\n", "row 3: trailer_id t001 is there twice"),
        ("trailer_id,x\nother,a\n", "names no trailer that has a split"),
    ],
)
def test_a_wrong_table_is_named(table: Path, text: str, message: str) -> None:
    table.write_text(text)
    with pytest.raises(ProbeError, match=message):
        read_probes(table, ["t001"])


@pytest.fixture
def folder(world: World) -> Iterator[Path]:
    params = world.folder / "params.yaml"
    params.write_text(quick_params(1).model_dump_json(by_alias=True))
    yield world.folder
    params.unlink()


def test_a_project_is_probed(world: World, folder: Path, table: Path) -> None:
    rows = [f"{name},{genres[0]}" for name, genres in zip(world.ids, world.genres, strict=True)]
    table.write_text("trailer_id,genre\n" + "\n".join(rows))
    found = try_probes(open_project(folder), table, permutations=20)
    best = {(one.scope, one.space): one for one in found}
    assert best["all", "untrained"].p == pytest.approx(1 / 21)
    assert best["same genres", "coarse"].queries == 48
