"""Steps of the whole collection that one pool computes together."""

import os
from pathlib import Path
from typing import Any

import pytest

from mmx.engine.errors import StepFailedError
from mmx.engine.run import Recipe
from mmx.outputs import ALL, TreeOutput, read_receipts
from mmx.pipeline.run import run_side_by_side
from mmx.pipeline.step import CollectionStep
from mmx.project import Project, open_project

pytestmark = pytest.mark.slow


def step_of(video: str) -> CollectionStep:
    """Return a step that draws clips from one video of a simulated project."""

    def arguments(project: Project) -> dict[str, Any]:
        path = project.layout.videos / f"{video}.mp4"
        return {"video": path, "params": project.params.scenes, "limits": None}

    return CollectionStep(
        name=f"drawn@{video}",
        recipe=Recipe("benchmarks.simulated_items:scenes_item"),
        keys=("scenes",),
        tools=("numpy",),
        output=TreeOutput(f"reports/drawn/{video}"),
        inputs=lambda project: {"video": video},
        arguments=arguments,
        reads=lambda project: (),
    )


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]) + os.pathsep)


def test_each_has_its_directory_and_the_bytes_of_a_run_of_its_own(root: Path) -> None:
    project = open_project(root)
    steps = [step_of("t00001"), step_of("t00002")]
    run_side_by_side("drawn", steps, project)
    together = {step.name: read_receipts(step.output.path(root)) for step in steps}
    assert all(receipts.keys() == {ALL} for receipts in together.values())
    for step in steps:
        (path,) = step.output.path(root).glob("*.arrow")
        bytes_together = path.read_bytes()
        made = together[step.name][ALL]
        project.store.forget(made)
        step.run(project)
        assert read_receipts(step.output.path(root))[ALL] == made
        assert path.read_bytes() == bytes_together


def test_one_that_fails_is_named_and_the_others_are_kept(root: Path) -> None:
    project = open_project(root)
    with pytest.raises(StepFailedError, match="drawn: 1 items could not be computed, drawn@gone"):
        run_side_by_side("drawn", [step_of("t00001"), step_of("gone")], project)
    assert [each.ingredients.step for each in project.store.receipts("drawn@*")] == ["drawn@t00001"]
