"""What a fingerprint covers: each ingredient costs what depends on it, nothing else any item."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks import simulated
from mmx.experts.registry import get_expert
from mmx.pipeline import ingredients, registry
from mmx.pipeline import step as step_module
from mmx.pipeline.registry import trailer_steps
from mmx.project import open_project
from mmx.tools import tool_versions

pytestmark = pytest.mark.slow

EXPERTS = ("lite_appearance", "lite_audio", "lite_motion", "lite_scene")


def every(*steps: str, items: int = 4) -> Counter[str]:
    return Counter(dict.fromkeys(steps, items))


def all_steps(root: Path) -> list[str]:
    return [step.name for step in trailer_steps(open_project(root).params)]


def test_other_bytes_of_a_video(root: Path, run_items: Callable[[Path], Counter[str]]) -> None:
    simulated.write_video(root, "t00002", version=1)
    assert run_items(root) == every(*all_steps(root), items=1)


@pytest.mark.parametrize(
    ("key", "value", "steps"),
    [
        ("audio.rate", 8000, ("audio", "stills", "embed@lite_audio")),
        ("flow.bound", 10.0, ("flow", "stills", "embed@lite_motion")),
        ("embed.frames_per_clip", 2, tuple(f"embed@{name}" for name in EXPERTS)),
        ("embed.precision", "bfloat16", tuple(f"embed@{name}" for name in EXPERTS)),
    ],
)
def test_a_parameter(
    root: Path,
    run_items: Callable[[Path], Counter[str]],
    key: str,
    value: object,
    steps: tuple[str, ...],
) -> None:
    simulated.set_param(root, key, value)
    assert run_items(root) == every(*steps)


@pytest.fixture
def change_steps(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Any], Any]], None]:
    """Have each step changed by a function before the pipeline sees it."""

    def change(function: Callable[[Any], Any]) -> None:
        steps_of = registry.all_steps
        monkeypatch.setattr(
            registry, "all_steps", lambda params: list(map(function, steps_of(params)))
        )

    return change


def test_a_weight(
    root: Path,
    run_items: Callable[[Path], Counter[str]],
    change_steps: Callable[[Callable[[Any], Any]], None],
) -> None:
    assert get_expert("lite_appearance").weights

    def others(step: Any) -> Any:
        if step.name != "embed@lite_appearance":
            return step
        made = step.weights(open_project(root))
        changed = tuple(replace(weight, sha256="00" * 32) for weight in made)
        return replace(step, weights=lambda project: changed)

    change_steps(others)
    assert run_items(root) == every("embed@lite_appearance")


@pytest.mark.parametrize("tool", ["scenedetect", "numba", "torch", "av"])
def test_the_version_of_a_tool(
    root: Path,
    run_items: Callable[[Path], Counter[str]],
    tool: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    versions_of = tool_versions
    monkeypatch.setattr(step_module, "check_tools", lambda path, names: None)
    monkeypatch.setattr(
        ingredients,
        "tool_versions",
        lambda names: {name: "0" if name == tool else v for name, v in versions_of(names).items()},
    )
    steps = trailer_steps(open_project(root).params)
    concerned = [step.name for step in steps if tool in step.tools]
    assert concerned and run_items(root) == every(*concerned)


def test_the_code_of_a_module(
    root: Path,
    run_items: Callable[[Path], Counter[str]],
    change_steps: Callable[[Callable[[Any], Any]], None],
) -> None:
    def with_another(step: Any) -> Any:
        return replace(step, modules=("mmx.flow.quantise",)) if step.name == "flow" else step

    change_steps(with_another)
    assert run_items(root) == every("flow")


@pytest.mark.parametrize(
    ("key", "value"),
    [("run.workers", 2), ("run.max_failed", 0.5), ("train.lr", 0.5), ("split.seed", 9)],
)
def test_how_work_is_spread_and_what_others_read(
    root: Path, run_items: Callable[[Path], Counter[str]], key: str, value: object
) -> None:
    simulated.set_param(root, key, value)
    assert run_items(root) == Counter()


def test_a_path_a_file_time_and_the_place_of_the_project(
    root: Path, run_items: Callable[[Path], Counter[str]], tmp_path: Path
) -> None:
    videos = root / "data" / "videos"
    (videos / "t00001.mp4").rename(videos / "renamed.mp4")
    os.utime(videos / "t00002.mp4", (0, 0))
    root.rename(tmp_path / "elsewhere")
    assert run_items(tmp_path / "elsewhere") == Counter()


def test_comments_keys_in_another_order_and_another_trailer_less(
    root: Path, run_items: Callable[[Path], Counter[str]]
) -> None:
    path = root / "params.yaml"
    data = dict(reversed(yaml.safe_load(path.read_text()).items()))
    path.write_text("# A remark.\n" + yaml.safe_dump(data, sort_keys=False))
    (root / "data" / "videos" / "t00000.mp4").unlink()
    assert run_items(root) == Counter()
