"""dvc.yaml, the import graph and tools.yaml say what mmx/steps.py says."""

import ast
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from mmx.engine.code import room_files
from mmx.experts.registry import get_expert
from mmx.layout import Layout
from mmx.params import load_params
from mmx.steps import (
    EVALUATE,
    FINETUNE,
    STAGE_TOOLS,
    TRAIN,
    ablate_step,
    all_tools,
    embed_step,
    trailer_steps,
)
from mmx.tools import check_tools

TOP = Path(__file__).parents[2]
STAGES = {
    name: stage
    for file in ("dvc.yaml", "ablations/dvc.yaml")
    for name, stage in yaml.safe_load((TOP / file).read_text())["stages"].items()
}
PARAMS = load_params(TOP / "params.yaml")
STEPS = [*trailer_steps(PARAMS), TRAIN, FINETUNE, EVALUATE, ablate_step("full")]
NEUTRAL = ("mmx.engine", "mmx.params", "mmx.layout", "mmx.outputs", "mmx.dvc_state")
"""Rooms that carry no result: bookkeeping, types, places."""


def stage_of(step) -> dict:
    """Return the entry of dvc.yaml that runs a step, its templates filled in."""
    name, _, part = step.name.partition("@")
    stage = STAGES[name]
    if "do" not in stage:
        return stage
    entry = PARAMS.embed.experts[part] if name == "embed" else None
    text = yaml.safe_dump(stage["do"]).replace("${key}", part).replace("${item}", part)
    if entry:
        text = text.replace("${item.reads}", entry.reads)
    return yaml.safe_load(text)


def own_keys(stage: dict) -> set[str]:
    return {key for key in stage["params"] if isinstance(key, str)}


def labelled(stage: dict) -> bool:
    return "data/trailers.parquet" in stage["deps"]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_dvc_runs_a_stage_again_for_every_parameter_that_its_step_reads(step):
    stage = stage_of(step)
    # trailers.parquet names the vocabulary: what depends on it depends on that.
    keys = own_keys(stage) | ({"collection.genres"} & set(step.keys) if labelled(stage) else set())
    covered = {key for key in step.keys if any(key == k or key.startswith(f"{k}.") for k in keys)}
    assert covered == set(step.keys)
    useless = {k for k in keys if not any(key == k or key.startswith(f"{k}.") for key in step.keys)}
    assert not useless


@pytest.mark.parametrize("name", STAGES)
def test_dvc_runs_every_stage_again_for_other_code_or_tools(name):
    stage = STAGES[name].get("do", STAGES[name])
    assert "mmx" in stage["deps"]
    assert Layout(TOP).tools.relative_to(TOP).parts[0] == "mmx"


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_the_rooms_of_a_step_hold_all_that_its_function_imports(step):
    module = step.recipe.function.partition(":")[0]
    known = {name for room in step.rooms for name, _ in room_files(room)}
    starts = [module, *(f"mmx.experts.{part}" for part in [step.expert] if part)]
    missed = {
        name
        for start in starts
        for name in imported(start, set())
        if name not in known and not name.startswith(NEUTRAL) and not is_empty(name)
    }
    without_result = {"mmx.experts.registry", "mmx.experts.job"}
    if step.expert:  # imported by the readers of all, used by some
        read = get_expert(step.expert).reads
        without_result |= {"mmx.flow.store"} if read != "flow" else set()
        without_result |= {"mmx.flow.sampling"} if read != "clips" else set()
    assert missed <= without_result


def imported(module: str, seen: set[str]) -> set[str]:
    """Return the modules of mmx that a module imports, directly or not, itself included."""
    if module in seen or not module.startswith("mmx") or module.startswith(NEUTRAL):
        return seen
    seen.add(module)
    origin = find_spec(module).origin
    for node in ast.walk(ast.parse(Path(origin).read_text())):
        for name in names_in(node):
            imported(name, seen)
    return seen


def names_in(node: ast.AST) -> list[str]:
    """Return the modules that one import statement names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom) or node.level or not node.module:
        return []
    inner = [f"{node.module}.{alias.name}" for alias in node.names]
    return [node.module, *(name for name in inner if is_module(name))]


def is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def is_empty(name: str) -> bool:
    """Say whether a module has no code: a package that is only a folder."""
    body = ast.parse(Path(find_spec(name).origin).read_text()).body
    return all(isinstance(node, ast.Expr) for node in body)


def test_every_registered_step_has_a_stage_and_the_other_way_round():
    stages = {step.name.partition("@")[0] for step in STEPS}
    assert stages | set(STAGE_TOOLS) | {"page"} == set(STAGES)


def test_the_ablations_end_with_a_report_that_is_stale_whenever_evaluate_is():
    page, evaluate = STAGES["page"], STAGES["evaluate"]
    assert page["cmd"] == "python -m dvc repro --single-item --force evaluate"
    assert set(page["deps"]) == {*evaluate["deps"], "reports/ablations"}
    assert page["params"] == evaluate["params"]


def test_tools_yaml_is_what_is_installed():
    check_tools(Layout(TOP).tools, all_tools())
    written = yaml.safe_load((Layout(TOP).tools).read_text())
    assert set(written) == set(all_tools())


def test_every_expert_reads_what_its_entry_says():
    for name, entry in PARAMS.embed.experts.items():
        expert = get_expert(name)
        assert (expert.modality, expert.reads) == (entry.modality, entry.reads)
        assert embed_step(name).expert == name


def test_opencv_is_the_contrib_build():
    import cv2

    assert hasattr(cv2.optflow, "DualTVL1OpticalFlow_create")


def test_every_step_leaves_what_its_stage_names_where_the_layout_has_it():
    layout = Layout(TOP)
    for step in STEPS:
        assert step.output.folder in {path for out in stage_of(step)["outs"] for path in named(out)}
    folders = {step.name: step.output.path(TOP) for step in STEPS}
    assert folders["scenes"] == layout.clips
    assert (folders["audio"], folders["flow"]) == (layout.audio, layout.flow)
    assert (folders["train"], folders["finetune"]) == (layout.coarse, layout.fine)
    assert folders["evaluate"] == layout.evaluation
    assert folders["ablate@full"] == layout.ablations / "full"
    for name in PARAMS.embed.experts:
        assert folders[f"embed@{name}"] == layout.embeddings(name)


def named(out: str | dict) -> list[str]:
    """Return the paths of an entry among the outs of dvc.yaml."""
    return [out] if isinstance(out, str) else list(out)
