"""The arithmetic of benchmarks/learning.py, which is a script and not part of the package."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from small_world import World, quick_params

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "learning.py"
STYLES = ["velvet", "tube"]


@pytest.fixture(scope="module")
def learning() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("learning_benchmark", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def setup(world: World, learning: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("styles") / "styles.csv"
    rows = (f"{name},{STYLES[i % 2]}" for i, name in enumerate(world.ids))
    path.write_text("trailer_id,style\n" + "\n".join(rows) + "\n")
    params = world.folder / "params.yaml"
    params.write_text(quick_params(1).model_dump_json(by_alias=True))
    try:
        return learning.read_setup(world.folder, path, 3)
    finally:
        params.unlink()


def test_folds_hold_every_trailer_once_and_keep_films_together(
    learning: ModuleType, setup: Any
) -> None:
    films = [name if i >= 6 else "one film" for i, name in enumerate(setup.films)]
    fold = learning.cut(learning.replace(setup, films=films), seed=1)
    assert len(set(fold[:6])) == 1
    assert sorted(set(fold)) == [0, 1, 2]
    share = [setup.collection.labels[fold == number].mean() for number in range(3)]
    assert max(share) - min(share) < 0.1


def test_a_fold_is_held_out(learning: ModuleType, setup: Any) -> None:
    fold = learning.cut(setup, seed=0)
    held = learning.hold_out(setup.collection, fold, 2)
    assert held.members("test").tolist() == np.flatnonzero(fold == 2).tolist()
    assert len(held.members("validation")) == learning.WATCHED
    assert len(held.members("train")) == (fold != 2).sum() - learning.WATCHED


def test_noise_replaces_one_modality_alone(learning: ModuleType, setup: Any) -> None:
    noisy = learning.add_noise(setup.collection, "appearance", seed=0)
    before, after = (c.columns["appearance"].values for c in (setup.collection, noisy))
    assert noisy.columns["audio"] is setup.collection.columns["audio"]
    assert not np.isclose(before, after).any(axis=1).all()
    assert after.mean(axis=0) == pytest.approx(before.mean(axis=0), abs=0.5)
    assert after.std(axis=0) == pytest.approx(before.std(axis=0), rel=0.2)
    assert abs(np.corrcoef(before[:, 0], after[:, 0])[0, 1]) < 0.2


@pytest.mark.slow
def test_out_of_fold_predictions_are_scored(learning: ModuleType, setup: Any) -> None:
    found = learning.measure_genres(setup, seed=0)
    assert set(found) == {"random", "full", "appearance", "audio", "naive"}
    assert found["random"]["ap_macro"] == pytest.approx(
        setup.collection.labels[:, :3].mean(), abs=1e-6
    )
    assert found == learning.measure_genres(setup, seed=0)


def test_spaces_are_measured_by_genre_and_by_style(
    learning: ModuleType, setup: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "OPTIONS", {"short": {"epochs": 1, "constant_epochs": 1}})
    found = learning.measure_styles(setup, seed=0)
    assert set(found) == {"coarse", "short"}
    assert found["coarse"]["style"]["chance"] == pytest.approx(23 / 47, abs=1e-6)
    assert found["coarse"]["genre"]["agreement"] > found["coarse"]["genre"]["chance"]


def test_a_perfect_space_agrees_wholly(learning: ModuleType, setup: Any) -> None:
    vectors = np.eye(2)[[STYLES.index(style) for style in setup.styles]]
    held = learning.hold_out(setup.collection, learning.cut(setup, seed=0), 0)
    style = learning.measure_space(setup, held, vectors)["style"]
    assert (style["agreement"], style["silhouette"]) == (1.0, 1.0)


def test_figures_are_printed_with_their_spread(learning: ModuleType) -> None:
    mean = {"a": {"b": 0.5, "c": None}, "d": 1.0}
    deviation = {"a": {"b": 0.25, "c": None}, "d": None}
    shown = [" ".join(line.split()) for line in learning.lines(mean, deviation)]
    assert shown == ["a.b 0.5000 ± 0.2500", "d 1.0000"]
