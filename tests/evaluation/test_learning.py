"""The arithmetic of benchmarks/learning.py and of what it is made of."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from small_world import World, quick_params

from benchmarks import folds, learning, spaces

STYLES = ["velvet", "tube"]


@pytest.fixture(scope="module")
def setup(world: World, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("styles") / "styles.csv"
    rows = (f"{name},{STYLES[i % 2]}" for i, name in enumerate(world.ids))
    path.write_text("trailer_id,style\n" + "\n".join(rows) + "\n")
    params = world.folder / "params.yaml"
    params.write_text(quick_params(1).model_dump_json(by_alias=True))
    try:
        return folds.read_setup(world.folder, path, 3)
    finally:
        params.unlink()


def test_folds_hold_every_trailer_once_and_keep_films_together(setup: Any) -> None:
    films = [name if i >= 6 else "one film" for i, name in enumerate(setup.films)]
    fold = folds.cut(replace(setup, films=films), seed=1)
    assert len(set(fold[:6])) == 1
    assert sorted(set(fold)) == [0, 1, 2]
    share = [setup.collection.labels[fold == number].mean() for number in range(3)]
    assert max(share) - min(share) < 0.1


def test_a_fold_is_held_out(setup: Any) -> None:
    fold = folds.cut(setup, seed=0)
    held = folds.hold_out(setup.collection, fold, 2)
    assert held.members("test").tolist() == np.flatnonzero(fold == 2).tolist()
    assert len(held.members("validation")) == folds.WATCHED
    assert len(held.members("train")) == (fold != 2).sum() - folds.WATCHED


def test_noise_replaces_one_modality_alone(setup: Any) -> None:
    noisy = learning.add_noise(setup.collection, "appearance", seed=0)
    before, after = (c.columns["appearance"].values for c in (setup.collection, noisy))
    assert noisy.columns["audio"] is setup.collection.columns["audio"]
    assert not np.isclose(before, after).any(axis=1).all()
    assert after.mean(axis=0) == pytest.approx(before.mean(axis=0), abs=0.5)
    assert after.std(axis=0) == pytest.approx(before.std(axis=0), rel=0.2)
    assert abs(np.corrcoef(before[:, 0], after[:, 0])[0, 1]) < 0.2


@pytest.mark.slow
def test_out_of_fold_predictions_are_scored(setup: Any) -> None:
    found = learning.measure_genres(setup, seed=0)
    assert set(found) == {"random", "full", "appearance", "audio", "naive"}
    assert found["random"]["ap_macro"] == pytest.approx(
        setup.collection.labels[:, :3].mean(), abs=1e-6
    )
    assert found == learning.measure_genres(setup, seed=0)


@pytest.mark.slow
def test_spaces_are_measured_out_of_fold(setup: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = {"epochs": 1, "constant_epochs": 1}
    options = {"published": quick, "pooled": {**quick, "trains": "pooled"}}
    monkeypatch.setattr(spaces, "OPTIONS", options)
    runs = [spaces.measure(setup, seed) for seed in range(2)]
    assert list(runs[0]) == [
        "untrained", "whitened", "whitened, 64 wide", "coarse", "published", "pooled",
    ]  # fmt: skip
    # The network stays as it is where the pooled space is trained, and so do its genres.
    genres = {name: runs[0][name].probabilities for name in ("coarse", "published", "pooled")}
    np.testing.assert_array_equal(genres["pooled"], genres["coarse"])
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(genres["published"], genres["coarse"])
    found = spaces.summarise(setup, runs)
    assert found["chance"] == pytest.approx(23 / 47)
    rows = found["rows"]
    style = np.mean([run["coarse"].style for run in runs])
    assert rows["coarse"]["style"] == pytest.approx(style)
    behind = rows["pooled"]["style"] - rows["coarse"]["style"]
    assert rows["coarse"]["style_behind"] == pytest.approx(behind)
    low, high = rows["coarse"]["style_behind_interval"]
    assert low <= behind <= high
    assert rows["pooled"]["style_behind_interval"] == [0, 0]
    assert rows["untrained"]["ap_weighted"] == [None, None]
    table = list(spaces.lines(found))
    assert len(table) == 4 + 6 and table[-1].startswith("| pooled | ")


def test_a_perfect_space_agrees_wholly(setup: Any) -> None:
    vectors = np.eye(2)[[STYLES.index(style) for style in setup.styles]]
    space = spaces.Space(np.zeros(len(vectors)), np.zeros(len(vectors)))
    members = np.array([1, 5])
    spaces.fill(space, setup, members, vectors)
    assert space.style[members].tolist() == [1, 1] and space.style.sum() == 2
    marks = setup.collection.labels.astype(bool)
    near = np.flatnonzero(np.array(setup.styles) == setup.styles[1])
    near = near[near != 1][: spaces.NEAREST]
    shared = [(marks[1] & marks[n]).sum() / (marks[1] | marks[n]).sum() for n in near]
    assert space.overlap[1] == pytest.approx(np.mean(shared))


def test_figures_are_printed_with_their_spread() -> None:
    mean = {"a": {"b": 0.5, "c": None}, "d": 1.0}
    deviation = {"a": {"b": 0.25, "c": None}, "d": None}
    shown = [" ".join(line.split()) for line in learning.lines(mean, deviation)]
    assert shown == ["a.b 0.5000 ± 0.2500", "d 1.0000"]
