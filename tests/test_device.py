"""The device that each step computes on."""

from types import SimpleNamespace
from typing import Any

import pytest

import mmx.device
import mmx.pipeline.run
from mmx.device import can_load, find_device
from mmx.engine.run import Workers
from mmx.pipeline.run import workers_of
from mmx.pipeline.step import TrailerStep
from mmx.steps import flow
from mmx.steps.embed import embed_step
from mmx.steps.scenes import scenes_step


@pytest.mark.parametrize(("gpus", "auto"), [(0, "cpu"), (2, "cuda")])
def test_auto_takes_a_gpu_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, gpus: int, auto: str
) -> None:
    monkeypatch.setattr(mmx.device, "count_gpus", lambda: gpus)
    assert find_device("auto") == auto
    assert find_device("cuda:1") == "cuda:1"
    assert find_device("cpu") == "cpu"


def test_libraries_that_are_not_there() -> None:
    assert can_load("libc.so.6")
    assert not can_load("libnothing-of-the-kind.so.1")


def project(device: str) -> Any:
    run = SimpleNamespace(device=device, engine="local", processor="native")
    return SimpleNamespace(workers=4, params=SimpleNamespace(run=run))


def local_workers(step: TrailerStep, device: str) -> Workers:
    pool = workers_of(step, project(device))
    assert isinstance(pool, Workers)
    return pool


@pytest.mark.parametrize("step", [flow.STEP, embed_step("lite_scene")])
def test_workers_of_heavy_steps_share_the_gpus(
    monkeypatch: pytest.MonkeyPatch, step: TrailerStep
) -> None:
    monkeypatch.setattr(mmx.pipeline.run, "count_gpus", lambda: 2)
    dealt = local_workers(step, "cuda")
    assert (dealt.device, dealt.gpus, dealt.setup) == ("cuda", 2, mmx.device.take_gpu)
    pinned = local_workers(step, "cuda:1")
    assert (pinned.device, pinned.gpus, pinned.setup) == ("cuda:1", 0, None)


def test_steps_that_only_decode_stay_on_the_cpu() -> None:
    assert local_workers(scenes_step("content"), "cuda").device == "cpu"
