"""dvc.yaml, .gitignore and tools.yaml say what the files in mmx/steps/ say."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mmx.layout import Layout
from mmx.params import ParamsError
from mmx.paramsfile import load_params
from mmx.pipeline.ingredients import step_modules
from mmx.pipeline.registry import (
    all_steps,
    all_tools,
    find_step,
    item_steps,
    known_step,
    steps_with_results,
)
from mmx.pipeline.step import (
    ItemStep,
    Step,
    TrailerStep,
    UnknownStepError,
)
from mmx.project import open_project
from mmx.steps.embed import embed_step
from mmx.tools import check_tools

TOP = Path(__file__).parents[2]
STAGES = yaml.safe_load((TOP / "dvc.yaml").read_text())["stages"]
PARAMS = load_params(TOP / "params.yaml")
STEPS = [step for step in all_steps(PARAMS) if not step.name.startswith("ablate@")]
ITEM_STEPS = [step for step in STEPS if isinstance(step, ItemStep)]


def stage_of(step: Step) -> dict[str, Any]:
    """Return the entry of dvc.yaml that runs a step, its templates filled in."""
    name, _, part = step.name.partition("@")
    stage: dict[str, Any] = STAGES[name]
    if "do" not in stage:
        return stage
    text = yaml.safe_dump(stage["do"]).replace("${key}", part)
    text = text.replace("${item.reads}", PARAMS.embed.experts[part].reads)
    filled: dict[str, Any] = yaml.safe_load(text)
    return filled


def by_name(step: Step) -> str:
    return step.name


def test_every_step_has_a_stage_and_the_other_way_round() -> None:
    assert {step.name.partition("@")[0] for step in STEPS} == set(STAGES)


@pytest.mark.parametrize("step", STEPS, ids=by_name)
def test_a_stage_runs_its_step_and_again_for_other_code_or_tools(
    step: Step,
) -> None:
    stage = stage_of(step)
    assert stage["cmd"] == f"python -m stages.run {step.name}"
    assert "mmx" in stage["deps"]
    assert Layout(TOP).tools.is_relative_to(TOP / "mmx")


@pytest.mark.parametrize("step", ITEM_STEPS, ids=by_name)
def test_a_stage_runs_again_for_every_parameter_that_its_step_reads_and_no_other(
    step: ItemStep,
) -> None:
    stage = stage_of(step)
    # trailers.parquet names the vocabulary: what depends on it depends on that.
    labelled = "data/trailers.parquet" in stage["deps"]
    keys = {*stage["params"], *(["collection.genres"] if labelled else [])}
    needed = set(step.keys) - ({"collection.genres"} if labelled else set())
    assert all(any(f"{key}.".startswith(f"{k}.") for k in keys) for key in step.keys)
    assert all(any(f"{n}.".startswith(f"{key}.") for n in needed) for key in stage["params"]) or (
        step.name == "evaluate"  # the page has parameters of its own
    )


@pytest.mark.parametrize("step", ITEM_STEPS, ids=by_name)
def test_a_stage_leaves_the_output_of_its_step(step: ItemStep) -> None:
    outs = [next(iter(out)) if isinstance(out, dict) else out for out in stage_of(step)["outs"]]
    assert step.output.folder in outs


@pytest.mark.parametrize("step", ITEM_STEPS, ids=by_name)
def test_a_stage_depends_on_what_its_step_needs(step: ItemStep) -> None:
    deps = stage_of(step)["deps"]
    made = {each.name: each for each in ITEM_STEPS}
    for need in step.needs:
        if need in made:
            folder = made[need].output.folder
            assert folder in deps or f"{folder}/_receipts" in deps or need == "train"


def test_steps_come_after_what_they_need() -> None:
    names = [step.name for step in all_steps(PARAMS)]
    for step in item_steps(PARAMS):
        assert all(
            names.index(need) < names.index(step.name) for need in step.needs if need in names
        )


def test_git_ignores_every_output() -> None:
    ignored = (TOP / ".gitignore").read_text().splitlines()
    for step in STEPS:
        for out in stage_of(step)["outs"]:
            path, how = next(iter(out.items())) if isinstance(out, dict) else (out, {})
            if how.get("cache", True):
                above = [f"/{path}", *(f"/{part}" for part in map(str, Path(path).parents))]
                assert any(name in ignored for name in above), path


def test_tools_yaml_is_what_is_installed() -> None:
    check_tools(Layout(TOP).tools, all_tools())
    written = yaml.safe_load((Layout(TOP).tools).read_text())
    assert set(written) == set(all_tools())


@pytest.mark.parametrize("step", ITEM_STEPS, ids=by_name)
def test_code_that_counts_is_that_of_the_results_alone(step: ItemStep) -> None:
    modules = step_modules(step)
    assert step.recipe.function.partition(":")[0] in modules
    assert not [name for name in modules if name.startswith(("mmx.cli", "mmx.report", "mmx.audit"))]


def test_how_an_artefact_is_read_counts_for_those_experts_alone_that_read_it() -> None:
    reach = {
        name: step_modules(embed_step(name)) for name in ("lite_scene", "lite_audio", "lite_motion")
    }
    assert "mmx.media.frames" in reach["lite_scene"]
    assert not {"mmx.flow.store", "mmx.media.wav"} & set(reach["lite_scene"])
    assert "mmx.media.wav" in reach["lite_audio"]
    assert not {"mmx.media.frames", "mmx.flow.store"} & set(reach["lite_audio"])
    assert "mmx.flow.store" in reach["lite_motion"]
    assert not {"mmx.flow.dual_tvl1", "mmx.media.wav"} & set(reach["lite_motion"])


def test_an_unknown_step_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownStepError, match=r"'other'; there are .*\bflow\b"):
        find_step("other", PARAMS)
    with pytest.raises(UnknownStepError, match="'flwo', did you mean 'flow'"):
        find_step("flwo", PARAMS)


def test_members_of_families_are_known_though_params_do_not_list_them() -> None:
    assert "senet154" not in PARAMS.embed.experts
    step = known_step("embed@senet154", PARAMS)
    assert isinstance(step, TrailerStep) and step.output.folder == "data/embeddings/senet154"
    assert known_step("embed@nothing", PARAMS) is None
    assert known_step("nothing", PARAMS) is None


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"lite_scene": {"reads": "audio"}}, "embed.experts.lite_scene.reads: it reads clips"),
        (
            {"lite_scene": {"reads": "clips", "modality": "audio"}},
            "embed.experts.lite_scene.modality: it is scene, not audio",
        ),
        ({"lite_scnee": {"reads": "clips"}}, "embed.experts.lite_scnee: there is no such expert"),
    ],
)
def test_parameters_cannot_contradict_the_registry(
    tmp_path: Path, entry: dict[str, Any], words: str
) -> None:
    data = yaml.safe_load((TOP / "params.yaml").read_text())
    data["embed"]["experts"] = entry
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(data))
    with pytest.raises(ParamsError, match=words):
        open_project(tmp_path)


def test_opencv_is_the_contrib_build() -> None:
    import cv2

    assert hasattr(cv2.optflow, "DualTVL1OpticalFlow_create")


def test_every_step_leaves_what_its_stage_names_where_the_layout_has_it() -> None:
    layout = Layout(TOP)
    for step in ITEM_STEPS:
        assert step.output.folder in {path for out in stage_of(step)["outs"] for path in named(out)}
    folders = {step.name: step.output.path(TOP) for step in ITEM_STEPS}
    assert folders["scenes"] == layout.clips
    assert (folders["audio"], folders["flow"]) == (layout.audio, layout.flow)
    assert (folders["train"], folders["finetune"]) == (layout.coarse, layout.fine)
    assert folders["evaluate"] == layout.evaluation
    ablation = known_step("ablate@full", PARAMS)
    assert isinstance(ablation, ItemStep)
    assert ablation.output.path(TOP) == layout.ablations / "full"
    for name in PARAMS.embed.experts:
        assert folders[f"embed@{name}"] == layout.embeddings(name)


def test_an_ablation_that_params_yaml_no_longer_lists_still_has_results(tmp_path: Path) -> None:
    (tmp_path / "reports" / "ablations" / "full").mkdir(parents=True)
    project = open_project(TOP).at(tmp_path)
    assert steps_with_results(project) == item_steps(project.params)
    ablate = project.params.ablate.model_copy(update={"variants": ("naive",)})
    fewer = replace(project, params=project.params.model_copy(update={"ablate": ablate}))
    assert "ablate@full" not in {step.name for step in item_steps(fewer.params)}
    assert "ablate@full" in {step.name for step in steps_with_results(fewer)}


def named(out: str | dict[str, Any]) -> list[str]:
    """Return the paths of an entry among the outs of dvc.yaml."""
    return [out] if isinstance(out, str) else list(out)
