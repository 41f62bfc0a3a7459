"""What `mmx prune` may take away."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import simulated
from mmx.engine.errors import StoreBusyError
from mmx.project import open_project
from mmx.upkeep.prune import prune

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("lost", ["data/flow", "data/clips", "data/embeddings/lite_scene"])
def test_what_an_interrupted_run_finished_stays(
    root: Path, run_items: Callable[[Path], Counter[str]], lost: str
) -> None:
    # As a kill leaves it: DVC has deleted the output, the items are in the store alone.
    shutil.rmtree(root / lost)
    prune(open_project(root))
    assert run_items(root) == Counter()


def test_what_neither_an_output_nor_a_run_would_use_goes(
    root: Path, run_items: Callable[[Path], Counter[str]]
) -> None:
    before = prune(open_project(root), dry_run=True)
    assert (before.receipts, before.objects) == (0, 0)
    simulated.set_param(root, "flow.bound", 10.0)
    assert run_items(root)["flow"] == 4
    pruned = prune(open_project(root))
    assert pruned.receipts == 12 and pruned.objects >= 4 and pruned.bytes > 0
    assert run_items(root) == Counter()
    simulated.set_param(root, "flow.bound", 20.0)
    assert run_items(root)["flow"] == 4


def test_an_interrupted_training_stays_as_long_as_it_can_go_on(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_project(root).store
    for name in ("wanted", "abandoned"):
        (store.scratch(name) / "checkpoint").touch()
    monkeypatch.setattr("mmx.upkeep.prune.next_run", lambda project: {"wanted"})
    prune(open_project(root))
    assert [path.name for path in (store.root / "scratch").iterdir()] == ["wanted"]


def test_not_while_a_run_is_in_progress(root: Path) -> None:
    project = open_project(root)
    with project.store.locked("flow"), pytest.raises(StoreBusyError, match="flow"):
        prune(project)
