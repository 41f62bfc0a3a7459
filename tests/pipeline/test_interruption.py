"""kill -9 in the middle of a stage, then `dvc repro`: the same result as without."""

import os
import shutil
import signal
import time
from typing import TYPE_CHECKING

import pytest

from mmx.engine.store import Store

if TYPE_CHECKING:
    from tests.pipeline.conftest import Project


pytestmark = pytest.mark.slow

STAGE = "embed@lite_appearance"


def test_what_was_finished_is_kept_and_the_result_is_the_same(project: "Project") -> None:
    before = project.artefacts("data/embeddings/lite_appearance", "data/features", "models/coarse")
    project.run("git", "rm", "--quiet", "--cached", "dvc.lock")
    # Without its lock and its cache of runs DVC remembers nothing; the receipts are left.
    (project.root / "dvc.lock").unlink()
    shutil.rmtree(project.root / ".dvc" / "cache" / "runs")
    store = Store(project.root / ".mmx")
    for receipt in store.receipts(STAGE):
        store.forget(receipt)
    trailers = len(list((project.root / "data" / "flow").glob("*.flow")))
    finished = interrupt(project, store, enough=2)
    assert 2 <= finished < trailers
    assert project.repro()[STAGE] == trailers - finished
    after = project.artefacts("data/embeddings/lite_appearance", "data/features", "models/coarse")
    assert after == before


def interrupt(project: "Project", store: Store, enough: int) -> int:
    """Kill a stage and its workers once some items are finished; return how many were."""
    stage = project.start("python", "-m", "stages.run", "embed@lite_appearance")
    while len(list(store.receipts(STAGE))) < enough and stage.poll() is None:
        time.sleep(0.02)
    os.killpg(stage.pid, signal.SIGKILL)
    stage.wait()
    return len(list(store.receipts(STAGE)))
