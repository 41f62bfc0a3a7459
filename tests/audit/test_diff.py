import shutil
from pathlib import Path

import pytest

from mmx.audit.diff import Change, diff, why
from mmx.dvc_state.history import HistoryError
from mmx.engine.receipt import Ingredients, Weight
from mmx.project import Project, open_project

pytestmark = pytest.mark.slow


def reasons(changes: tuple[Change, ...], step: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Kind and reasons of a step's changes by trailer."""
    return {
        change.trailer: (change.kind, change.reasons) for change in changes if change.step == step
    }


@pytest.mark.slow
def test_nothing_differs_from_itself(project: Project) -> None:
    found = diff(project, "HEAD")
    assert found.changes == ()
    assert found.unchanged == 5 * 7


@pytest.mark.slow
def test_what_changed_and_why(changed: Path) -> None:
    found = diff(open_project(changed), "HEAD~1", "HEAD")
    assert reasons(found.changes, "scenes") == {
        "t00000": ("removed", ()),
        "t00003": ("recomputed", ("another video",)),
        "t00009": ("added", ()),
    }
    bound = "flow.bound 20.0 -> 15.0"
    flow = reasons(found.changes, "flow")
    assert flow["t00001"] == ("recomputed", (bound,))
    assert flow["t00003"] == ("recomputed", ("another result of scenes", "another video", bound))
    motion = reasons(found.changes, "embed@lite_motion")
    assert motion["t00001"] == ("recomputed", ("another result of flow",))
    assert "t00001" not in reasons(found.changes, "embed@lite_scene")
    assert found.trailers("added") == ["t00009"]
    assert found.counts[("flow", "recomputed", bound)] == 3


def test_the_work_tree_is_the_default(changed: Path) -> None:
    project = open_project(changed)
    assert diff(project, "HEAD~1").changes == diff(project, "HEAD~1", "HEAD").changes
    assert diff(project, "HEAD~1").new == "work tree"


def test_swapped_revisions_give_the_opposite_changes(changed: Path) -> None:
    forth = diff(open_project(changed), "HEAD~1", "HEAD")
    back = diff(open_project(changed), "HEAD", "HEAD~1")
    assert back.trailers("removed") == forth.trailers("added")
    assert back.unchanged == forth.unchanged


def test_unknown_revision(project: Project) -> None:
    with pytest.raises(HistoryError, match="'nowhere' is not a revision"):
        diff(project, "nowhere")


def test_for_a_version_that_dvc_lacks_the_error_says_how_to_get_it(project: Project) -> None:
    shutil.rmtree(project.layout.root / ".dvc/cache/files")
    with pytest.raises(HistoryError, match="dvc fetch --all-commits"):
        diff(project, "HEAD")


def test_a_work_tree_without_a_store(project: Project) -> None:
    shutil.rmtree(project.layout.features)
    with pytest.raises(HistoryError, match="dvc repro features"):
        diff(project, "HEAD")


def test_every_ingredient_is_a_reason() -> None:
    weight = Weight("net", "aa", "here", "MIT")
    old = Ingredients("s", 1, {"video": "1"}, {"p": 1}, "code", {"numpy": "1"})
    new = Ingredients(
        "s", 2, {"video": "2", "flow": "3"}, {"p": 1, "q": [2]}, "other", {}, (weight,)
    )
    assert list(why(old, new)) == [
        "another result of flow",
        "another video",
        "q nothing -> [2]",
        "code",
        "weights",
        'version of numpy "1" -> nothing',
        "schema 1 -> 2",
    ]
    assert list(why(old, old)) == []
