"""What a pool promises, on a cluster of two nodes, one of which sees no file of the head."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mmx.engine.canonical import file_digest
from mmx.engine.files import InputFile
from mmx.engine.pools.cluster import Admission, ClusterError, RaySetting
from mmx.engine.progress import ItemProgress
from mmx.engine.run import Outcome, Recipe, Task, Workers, complete
from mmx.engine.store import Store
from mmx.engine.task import Done

ray_pool = pytest.importorskip("mmx.engine.pools.ray_pool.pool", reason="ray is not installed")
pytestmark = [pytest.mark.cluster, pytest.mark.slow]

BLIND = {"MMX_NODE_SHARED": "0", "MMX_TEST_FULL": "1", "MMX_TEST_CODE": "theirs"}
"""Environment of the second node."""
DOUBLE = Recipe("work:double", ("work:BadInputError",))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        shared = str(Path(__file__).parents[1] / "shared")
        patch.setenv("PYTHONPATH", os.pathsep.join([shared, *sys.path]))
        patch.setenv("MMX_NODE_CACHE", str(tmp_path_factory.mktemp("seeing")))
        started = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
        )
        started.add_node(num_cpus=1)
        cache = str(tmp_path_factory.mktemp("blind"))
        started.add_node(num_cpus=1, env_vars={**BLIND, "MMX_NODE_CACHE": cache})
        yield started
        started.shutdown()


@pytest.fixture
def pool(cluster: Any) -> Callable[..., Any]:
    def make(variable: str = "", chunk: int = 1) -> Any:
        admission = Admission("work:describe", {"variable": variable}, {"the code": "ours"})
        return ray_pool.RayPool(RaySetting(cluster.address), admission, chunk)

    return make


def contents(outcome: Outcome, store: Store) -> dict[str, list[bytes]]:
    return {
        item: [store.object(output.sha256).read_bytes() for output in receipt.outputs]
        for item, receipt in outcome.receipts.items()
    }


def test_the_same_bytes_and_receipts_as_on_one_machine_and_nothing_twice(
    pool: Callable[..., Any],
    store: Store,
    make_task: Callable[..., Task],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tasks = [make_task(number) for number in (-1, *range(12))]
    far = complete(DOUBLE, tasks, store, workers=pool(chunk=6))
    here = Store(tmp_path / "local")
    near = complete(DOUBLE, tasks, here, workers=Workers(count=2))
    assert far.receipts == near.receipts and far.faults.keys() == {"item-1"}
    assert contents(far, store) == contents(near, here)
    entries = store.journal("double")
    assert len(entries) == 13 and all(entry["host"] and entry["processor"] for entry in entries)
    assert "2 nodes, 2 workers" in capsys.readouterr().err
    assert complete(DOUBLE, tasks, store, workers=pool()).computed == []


def test_inputs_travel_to_a_node_that_does_not_see_them(
    pool: Callable[..., Any],
    store: Store,
    make_ingredients: Callable[..., Any],
    tmp_path: Path,
) -> None:
    source, log = tmp_path / "source.bin", tmp_path / "log"
    source.write_bytes(bytes(range(256)) * 40_000)
    file = InputFile(source, file_digest(source))
    tasks = [
        Task(f"item{n}", make_ingredients(n), {"source": source, "log": log}, (file,))
        for n in range(8)
    ]
    outcome = complete(Recipe("work:copy"), tasks, store, workers=pool())
    assert not outcome.failures
    assert {receipt.outputs[0].sha256 for receipt in outcome.receipts.values()} == {file.sha256}
    places = set(log.read_text().split())
    assert str(source) in places and len(places) == 2


def test_an_item_that_kills_its_workers_is_lost_and_no_other(
    pool: Callable[..., Any], store: Store, make_task: Callable[..., Task]
) -> None:
    tasks = [make_task(number) for number in range(5, 11)]
    outcome = complete(Recipe("work:double_or_die"), tasks, store, workers=pool(chunk=2))
    assert outcome.failures == {"item7": "its worker was killed twice while working on it"}
    assert len(outcome.computed) == 5


def test_a_node_with_a_full_disk_is_used_no_more_and_costs_no_item(
    pool: Callable[..., Any],
    store: Store,
    make_task: Callable[..., Task],
    capsys: pytest.CaptureFixture[str],
) -> None:
    tasks = [make_task(number) for number in range(8)]
    outcome = complete(Recipe("work:no_space_where_told"), tasks, store, workers=pool())
    assert not outcome.failures and len(outcome.computed) == 8
    assert "is used no more: the disk is full" in capsys.readouterr().err


def test_a_node_with_other_code_is_refused_by_name(
    pool: Callable[..., Any],
    store: Store,
    make_task: Callable[..., Task],
    capsys: pytest.CaptureFixture[str],
) -> None:
    # They last until the other node has answered, too: a run does not wait for it.
    tasks = [make_task(number) for number in range(20)]
    outcome = complete(Recipe("work:slow"), tasks, store, workers=pool("MMX_TEST_CODE"))
    assert len(outcome.computed) == 20
    assert "is refused, its results could differ: the code is theirs there and ours here" in (
        capsys.readouterr().err
    )


def test_a_cluster_of_other_nodes_alone_is_an_error(
    cluster: Any, store: Store, make_task: Callable[..., Task]
) -> None:
    admission = Admission("work:describe", {"variable": ""}, {"the code": "new"})
    other = ray_pool.RayPool(RaySetting(cluster.address), admission)
    with pytest.raises(ClusterError, match=r"no node of the cluster can be used: .*ours there"):
        complete(DOUBLE, [make_task(1)], store, workers=other)
    assert list(store.receipts()) == []


def test_a_node_that_joins_is_used_and_one_that_is_lost_costs_no_item(
    cluster: Any, pool: Callable[..., Any], store: Store, make_task: Callable[..., Task]
) -> None:
    tasks = [make_task(number) for number in range(30)]
    progress, done, joined = ItemProgress("double", 30), list[Done](), list[Any]()
    for _, result in pool().compute(Recipe("work:slow"), tasks, store, progress):
        done.append(result)
        if len(done) == 2:
            joined.append(cluster.add_node(num_cpus=1))
        if "3 nodes" in progress.nodes and len(joined) == 1:
            cluster.remove_node(joined[0], allow_graceful=False)
            joined.clear()
    assert joined == [] and len(done) == 30
    assert all(each.receipt for each in done)
    assert len(list(store.receipts())) == 30
