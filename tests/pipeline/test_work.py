"""Shards of a step, computed side by side, are the whole step."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from sharing import made_once, own_copy
from typer.testing import CliRunner

from benchmarks import simulated
from mmx.cli.app import app
from mmx.engine.canonical import data_digest
from mmx.engine.errors import StepFailedError, StoreBusyError
from mmx.engine.run import Recipe
from mmx.errors import NotMadeError
from mmx.params import Params
from mmx.pipeline import gate, registry
from mmx.pipeline.registry import find_trailer_step, run_step
from mmx.pipeline.run import cached_output
from mmx.pipeline.step import Step, TrailerStep, UnknownStepError
from mmx.pipeline.upstream import Upstream
from mmx.pipeline.work import Shard, ShardError, work
from mmx.project import Project, open_project

TRAILERS = 12
WORK = """
import sys
from benchmarks import simulated
from mmx.pipeline.upstream import Upstream
from mmx.pipeline.work import Shard, work
from mmx.project import open_project

simulated.install()
done = work("flow", open_project(), Shard.parse(sys.argv[1]))
print(len(done.outcome.computed), len(done.outcome.reused))
"""


@pytest.fixture(autouse=True)
def recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    simulated.install(monkeypatch.setattr)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose clips are there."""

    def make(folder: Path) -> Path:
        with pytest.MonkeyPatch.context() as patch:
            simulated.install(patch.setattr)
            root = folder / "project"
            simulated.write_project(root, TRAILERS, workers=1)
            simulated.ingest(open_project(root))
            run_step("scenes", open_project(root))
        return root

    return own_copy(tmp_path_factory, made_once(tmp_path_factory, "started", make))


@pytest.fixture
def begun(started: Path, tmp_path: Path) -> Project:
    """A copy of it."""
    root = tmp_path / "project"
    subprocess.run(["cp", "-a", str(started), str(root)], check=True)
    return open_project(root)


def start(begun: Project, shard: str, **environment: str) -> "subprocess.Popen[str]":
    paths = os.pathsep.join([str(simulated.ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", WORK, shard],
        cwd=begun.layout.root,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_workers_side_by_side_leave_the_stage_nothing_to_compute(begun: Project) -> None:
    both = [start(begun, shard) for shard in ("1/2", "2/2")]
    printed = [process.communicate()[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    computed = [int(words[0]) for words in printed]
    assert sum(computed) == TRAILERS and min(computed) > 0
    assert not (begun.layout.root / "data" / "flow").exists()
    assert {entry["item"] for entry in begun.store.journal("flow")} == {
        f"t{number:05d}" for number in range(TRAILERS)
    }
    outcome = run_step("flow", begun)
    assert outcome and outcome.computed == [] and len(outcome.reused) == TRAILERS
    assert not any((begun.store.root / "present").iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_a_killed_worker_finished_is_kept(begun: Project, number: int) -> None:
    worker = start(begun, "1/1", MMX_SIMULATED_SECONDS="0.2")
    while len(list(begun.store.receipts("flow"))) < 2:
        time.sleep(0.05)
    kept = {receipt.fingerprint for receipt in begun.store.receipts("flow")}
    worker.send_signal(number)
    worker.communicate()
    outcome = run_step("flow", begun)
    assert outcome and len(outcome.computed) + len(outcome.reused) == TRAILERS
    assert outcome.computed and kept <= {
        outcome.receipts[item].fingerprint for item in outcome.reused
    }


def test_a_shard_is_taken_up_where_it_was_left(begun: Project) -> None:
    first = work("audio", begun, Shard(0, 3)).outcome
    gone = first.receipts[first.computed[0]]
    begun.store.forget(gone)
    again = work("audio", begun, Shard(0, 3)).outcome
    assert again.computed == first.computed[:1]
    assert len(again.reused) == len(first.computed) - 1


def refusing(monkeypatch: pytest.MonkeyPatch, faults: tuple[str, ...]) -> None:
    """Let every item of audio raise an exception, which may be a fault of the input."""
    listed = registry.all_steps
    recipe = Recipe("benchmarks.simulated_items:flow_item", faults)

    def steps(params: Params) -> list[Step]:
        return [
            replace(step, recipe=recipe)
            if isinstance(step, TrailerStep) and step.name == "audio"
            else step
            for step in listed(params)
        ]

    monkeypatch.setattr(registry, "all_steps", steps)


def test_how_many_faults_are_too_many_is_for_the_stage_to_say(
    begun: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(monkeypatch, ("builtins:TypeError",))
    done = work("audio", begun, Shard(0, 1)).outcome
    assert len(done.faults) == TRAILERS == len(done.computed)
    with pytest.raises(StepFailedError, match=r"more than run\.max_failed"):
        run_step("audio", begun)


def test_failures_are_an_error(begun: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing(monkeypatch, ())
    with pytest.raises(StepFailedError, match=f"{TRAILERS} items could not be computed"):
        work("audio", begun, Shard(0, 1))


def test_trailers_that_an_earlier_step_does_not_have_are_counted(begun: Project) -> None:
    simulated.write_video(begun.layout.root, "t00099")
    simulated.ingest(begun)
    done = work("flow", begun, Shard(0, 1))
    assert (len(done.outcome.computed), done.waiting) == (TRAILERS, 1)
    assert work("audio", begun, Shard(0, 1)).waiting == 0


def test_a_worker_is_refused_during_a_run_and_a_run_during_a_worker(begun: Project) -> None:
    with begun.store.locked("prune"), pytest.raises(StoreBusyError, match="prune"):
        work("audio", begun, Shard(0, 1))
    with begun.store.joined("audio 1/2"), pytest.raises(StoreBusyError, match="audio 1/2"):
        run_step("audio", begun)


def test_what_must_come_first_is_named(begun: Project) -> None:
    with pytest.raises(NotMadeError, match="`dvc repro flow`"):
        work("embed@lite_motion", begun, Shard(0, 1))
    shutil.rmtree(begun.layout.clips)
    with pytest.raises(NotMadeError, match="`dvc repro scenes`"):
        work("flow", begun, Shard(0, 1))
    begun.layout.sources.unlink()
    with pytest.raises(NotMadeError, match="`dvc repro ingest`"):
        work("audio", begun, Shard(0, 1))
    with pytest.raises(UnknownStepError, match="`dvc repro train` runs it"):
        work("train", begun, Shard(0, 1))


def test_the_cost_gate_counts_all_shards(begun: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(
        "mmx.pipeline.work.refuse_costly_recomputation", lambda *args: asked.append(args[-1])
    )
    for number in range(7):
        work("audio", begun, Shard(number, 7))
    assert set(asked) == {7}


@pytest.mark.parametrize("total", [1, 2, 3, 64, 1000])
def test_every_item_is_in_one_shard_counted_from_0_or_from_1(total: int) -> None:
    items = [data_digest(number) for number in range(200)]
    for first in (0, 1):
        shards = [Shard.parse(f"{number + first}/{total}") for number in range(total)]
        assert [sum(shard.has(item) for shard in shards) for item in items] == [1] * len(items)
    assert str(Shard.parse(f"0/{total}")) == f"{total}/{total}"


@pytest.mark.parametrize(
    "text", ["", "1", "/", "1/", "0/0", "3/2", "-1/2", "1/2/3", "a/2", "1.0/2", "1/2 ", "\u0661/2"]
)
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(ShardError, match="write 3/8"):
        Shard.parse(text)


def test_the_command_says_what_became_of_the_shard(
    begun: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(begun.layout.root)
    done = CliRunner().invoke(app, ["work", "audio", "--shard", "1/1"])
    assert done.exit_code == 0, done.output
    assert f"audio 1/1: {TRAILERS} computed, 0 reused, 0 of them faulty" in done.output
    again = CliRunner().invoke(app, ["work", "audio"])
    assert f"audio 1/1: 0 computed, {TRAILERS} reused" in again.output


def test_a_shard_whose_share_is_cheap_is_stopped_if_the_whole_is_not(
    begun: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = begun.params.run.ask_above
    monkeypatch.setattr(gate, "hours", lambda *_: 0.6 * most)
    monkeypatch.setattr(gate, "_stale_items", lambda *_: {"t00000": None})
    monkeypatch.setattr(gate, "_what_changed", lambda *_: ["a file"])
    step = find_trailer_step("audio", begun.params)
    upstream, cached = Upstream(begun), cached_output(step, begun)
    gate.refuse_costly_recomputation(step, upstream, cached, ())
    with pytest.raises(gate.StaleCodeError, match=f"in this of 2 shards.*{1.2 * most:.1f} hours"):
        gate.refuse_costly_recomputation(step, upstream, cached, (), 2)
