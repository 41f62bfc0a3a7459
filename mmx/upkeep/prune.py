"""`mmx prune`: remove from the item store what no output needs and no run would reuse."""

from collections.abc import Iterable, Iterator, Set
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from mmx.engine.receipt import Ingredients, Receipt
from mmx.engine.store import Store
from mmx.outputs import read_shard, receipt_files
from mmx.pipeline.ingredients import ingredients_of
from mmx.pipeline.registry import item_steps, steps_with_results
from mmx.pipeline.run import trailer_tasks
from mmx.pipeline.step import CollectionStep, ItemStep, TrailerStep
from mmx.pipeline.upstream import Upstream
from mmx.project import Project
from mmx.training.errors import CollectionError
from mmx.upkeep.status import present


@dataclass(frozen=True)
class Pruned:
    """What `mmx prune` removed, or would."""

    receipts: int
    objects: int
    bytes: int
    """Freed once DVC's cache does not link them either."""


def prune(project: Project, *, dry_run: bool = False) -> Pruned:
    """Remove from the store what no output needs and no run would reuse.

    Items that an interrupted run finished are kept for the next run. Raises StoreBusyError while a
    run is in progress. Files that DVC's cache still links take up space until `dvc gc`.
    """
    store = project.store
    with store.locked("prune"):
        wanted, used = next_run(project), set[str]()
        for receipt in needed(project):
            wanted.add(receipt.fingerprint)
            used.update(output.sha256 for output in receipt.outputs)
        stale: list[Path] = []
        for receipt in store.receipts():
            if receipt.fingerprint in wanted:
                used.update(output.sha256 for output in receipt.outputs)
            else:
                stale.append(store.receipt_path(receipt.ingredients.step, receipt.fingerprint))
        objects = [path for path in (store.root / "objects").glob("*/*") if path.name not in used]
        size = sum(path.stat().st_size for path in objects)
        if not dry_run:
            remove(stale, objects)
            _drop_abandoned(store, wanted)
    return Pruned(len(stale), len(objects), size)


def needed(project: Project) -> Iterator[Receipt]:
    """Yield the receipts of every output directory in the workspace, shard by shard."""
    for step in steps_with_results(project):
        for path in receipt_files(step.output.path(project.layout.root)):
            yield from read_shard(path).values()


def next_run(project: Project) -> set[str]:
    """Return the fingerprints that the next run will look up, as far as their inputs exist.

    DVC deletes an output before its stage runs, so the items that an interrupted run finished are
    only in the store.
    """
    upstream = Upstream(project) if project.layout.sources.exists() else present(project)
    steps = item_steps(project.params)
    return {each.fingerprint for step in steps for each in _wanted_by(step, upstream)}


def _wanted_by(step: ItemStep, upstream: Upstream) -> Iterable[Ingredients]:
    """Return the ingredients of the items that a step would look up now."""
    if isinstance(step, TrailerStep):
        return [task.ingredients for task in trailer_tasks(step, upstream)]
    assert isinstance(step, CollectionStep)
    # A step whose features or models do not exist yet has not been started.
    with suppress(CollectionError, FileNotFoundError, KeyError):
        return [ingredients_of(step, upstream.project)(step.inputs(upstream.project))]
    return []


def remove(receipts: Iterable[Path], objects: Iterable[Path]) -> None:
    """Remove receipts first: orphan objects are harmless, dangling receipts are not."""
    for path in chain(receipts, objects):
        path.unlink(missing_ok=True)


def _drop_abandoned(store: Store, wanted: Set[str]) -> None:
    """Remove checkpoints of interrupted trainings that will not be resumed."""
    for folder in (store.root / "scratch").glob("*"):
        if folder.name not in wanted:
            store.drop_scratch(folder.name)
