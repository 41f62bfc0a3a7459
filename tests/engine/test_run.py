import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import work

from mmx.engine.errors import StepFailedError
from mmx.engine.files import InputChangedError
from mmx.engine.receipt import Fault, Ingredients
from mmx.engine.run import Outcome, Recipe, Task, Workers, check, complete
from mmx.engine.store import Store

HERE = Workers(in_process=True)
POOL = Workers(count=2)
DOUBLE = Recipe("work:double", faults=("work:BadInputError",))


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    path = os.pathsep.join([str(Path(__file__).parents[1] / "shared"), *sys.path])
    monkeypatch.setenv("PYTHONPATH", path)


@pytest.mark.parametrize("workers", [HERE, POOL])
def test_the_second_time_nothing_is_computed(
    workers: Workers, store: Store, make_task: Callable[..., Task]
) -> None:
    tasks = [make_task(number) for number in range(5)]
    first = complete(DOUBLE, tasks, store, workers=workers)
    assert sorted(first.computed) == [task.item for task in tasks]
    second = complete(DOUBLE, tasks, store, workers=workers)
    assert second.computed == [] and second.receipts == first.receipts
    assert first.receipts["item3"].facts == {"doubled": 6}
    assert store.object(first.receipts["item3"].outputs[0].sha256).read_text() == "6"


def test_parts_are_counted_across_workers_and_shown(
    store: Store, make_task: Callable[..., Task], capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = Recipe("work:in_parts", parts="slices")
    tasks = [make_task(number) for number in (300, 500)]
    complete(recipe, tasks, store, workers=Workers(count=2, setup=work.remember_number))
    told = re.search(r"in ([\d.]+) s, ([\d.]+) slices/s", capsys.readouterr().err)
    assert told is not None
    assert float(told[1]) * float(told[2]) == pytest.approx(800, rel=0.2)
    complete(recipe, tasks, store, workers=POOL)
    assert "slices" not in capsys.readouterr().err


@pytest.mark.parametrize("workers", [HERE, POOL])
def test_workers_inherit_the_environment_set_before_them(
    workers: Workers, store: Store, make_task: Callable[..., Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNOUNCED", "0")
    recipe = Recipe("work:announced", before="work:announce")
    done = complete(recipe, [make_task(number) for number in range(3)], store, workers=workers)
    assert {receipt.facts["by"] for receipt in done.receipts.values()} == {os.getpid()}
    monkeypatch.setenv("ANNOUNCED", "0")
    complete(recipe, [make_task(0)], store, workers=workers)
    assert os.environ["ANNOUNCED"] == "0"


def test_only_what_is_missing_is_computed(store: Store, make_task: Callable[..., Task]) -> None:
    complete(DOUBLE, [make_task(1), make_task(2)], store, workers=HERE)
    outcome = complete(DOUBLE, [make_task(n) for n in (1, 2, 3)], store, workers=HERE)
    assert (outcome.reused, outcome.computed) == (["item1", "item2"], ["item3"])


def test_equal_ingredients_are_computed_once(
    store: Store,
    make_task: Callable[..., Task],
    make_ingredients: Callable[..., Ingredients],
    tmp_path: Path,
) -> None:
    recipe, log = Recipe("work:counted"), tmp_path / "log"
    tasks = [Task(name, make_ingredients(4), {"number": 4, "log": log}) for name in "ab"]
    outcome = complete(recipe, tasks, store, workers=HERE)
    assert log.read_text() == "4\n"
    assert outcome.receipts["a"] == outcome.receipts["b"]


def test_a_fault_of_the_input_is_a_result(store: Store, make_task: Callable[..., Task]) -> None:
    tasks = [make_task(-1), make_task(2)]
    outcome = complete(DOUBLE, tasks, store, workers=HERE)
    assert outcome.faults == {"item-1": Fault("BadInputError", "the number is negative")}
    assert outcome.failures == {}
    again = complete(DOUBLE, tasks, store, workers=HERE)
    assert again.computed == [] and again.faults == outcome.faults


@pytest.mark.parametrize("function", ["work:no_space", "no_such_module:f"])
def test_a_failure_of_the_machine_is_not_a_result(
    function: str, store: Store, make_task: Callable[..., Task]
) -> None:
    outcome = complete(Recipe(function), [make_task(1)], store, workers=HERE)
    assert list(outcome.failures) == ["item1"] and outcome.receipts == {}
    with pytest.raises(StepFailedError, match="item1"):
        check(outcome, "double", 1.0)
    assert complete(DOUBLE, [make_task(1)], store, workers=HERE).computed == ["item1"]


@pytest.mark.parametrize("overrun", ["it takes too long", ""])
def test_an_item_that_takes_more_than_its_share_twice(
    store: Store, make_task: Callable[..., Task], overrun: str
) -> None:
    """It is at fault, if the recipe says so, and no other item is concerned."""
    recipe = Recipe("work:double_or_overrun", overrun=overrun)
    tasks = [make_task(number) for number in range(6, 10)]
    outcome = complete(recipe, tasks, store, workers=Workers(count=2, chunk=2))
    assert {"item6", "item8", "item9"} <= set(outcome.computed)
    if overrun:
        assert outcome.faults == {"item7": Fault("WorkerEnded", overrun, "killed")}
        assert complete(recipe, tasks, store, workers=POOL).computed == []
    else:
        assert outcome.failures == {"item7": "its worker was killed twice while working on it"}


def test_a_full_disk_is_reported_without_a_traceback(
    store: Store, make_task: Callable[..., Task]
) -> None:
    outcome = complete(Recipe("work:no_space"), [make_task(1)], store, workers=HERE)
    assert outcome.failures == {"item1": "the disk is full"}


@pytest.mark.parametrize("workers", [HERE, Workers(count=1)], ids=["here", "worker"])
def test_an_expected_error_has_no_traceback_and_a_bug_has_one(
    store: Store, make_task: Callable[..., Task], workers: Workers
) -> None:
    outcome = complete(Recipe("work:refuse"), [make_task(1)], store, workers=workers)
    assert outcome.failures == {"item1": "1 is refused: give another"}
    outcome = complete(Recipe("work:no_such"), [make_task(1)], store, workers=workers)
    assert "Traceback" in outcome.failures["item1"] or "line" in outcome.failures["item1"]


def test_too_many_faults_fail_the_step(store: Store, make_task: Callable[..., Task]) -> None:
    tasks = [make_task(number) for number in (-2, -1, 1, 2)]
    outcome = complete(DOUBLE, tasks, store, workers=HERE)
    check(outcome, "double", 0.5)
    with pytest.raises(StepFailedError, match="2 of 4 items are faulty"):
        check(outcome, "double", 0.4)


def test_a_stream_gives_each_job_its_own(store: Store, make_task: Callable[..., Task]) -> None:
    recipe = Recipe("work:stream", faults=("work:BadInputError",), job="work:Job")
    tasks = [make_task(number) for number in (1, -1, 2, 13, 3)]
    outcome = complete(recipe, tasks, store, workers=Workers(count=1, chunk=5))
    assert sorted(outcome.computed) == ["item-1", "item1", "item2"]
    assert list(outcome.faults) == ["item-1"]
    assert sorted(outcome.failures) == ["item13", "item3"]


def test_partial_results_are_there_the_next_time(
    store: Store, make_task: Callable[..., Task]
) -> None:
    recipe = Recipe("work:resumed", scratch=True)
    for _ in range(2):
        assert complete(recipe, [make_task(2)], store, workers=HERE).failures
    outcome = complete(recipe, [make_task(2)], store, workers=HERE)
    assert outcome.receipts["item2"].facts == {"seen": 2}
    assert not any((store.root / "scratch").iterdir())


def test_the_journal_records_when_and_where(store: Store, make_task: Callable[..., Task]) -> None:
    outcome = complete(DOUBLE, [make_task(1)], store, workers=HERE)
    (entry,) = store.journal("double")
    assert entry["item"] == "item1"
    assert entry["fingerprint"] == outcome.receipts["item1"].fingerprint
    assert entry["seconds"] >= 0 and entry["host"] and entry["finished"].endswith("Z")
    assert entry["device"] == "cpu"


def test_no_task_is_no_work(store: Store) -> None:
    assert complete(DOUBLE, [], store) == Outcome()


def test_an_item_whose_input_changed_is_a_failure_and_others_are_made(
    store: Store, make_task: Callable[..., Task]
) -> None:
    tasks = [make_task(number) for number in range(3)]

    def prepare(task: Task) -> Task:
        if task is tasks[1]:
            raise InputChangedError("the video is another one now")
        return task

    outcome = complete(DOUBLE, tasks, store, prepare=prepare, workers=HERE)
    assert outcome.failures == {tasks[1].item: "the video is another one now"}
    assert sorted(outcome.computed) == [tasks[0].item, tasks[2].item]
