"""Take damaged results out of everywhere, so that `dvc repro` makes exactly those again.

DVC alone cannot: a damaged file that has one inode with DVC's cache is restored from that cache,
damage included, and called up to date.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from mmx.audit.artefacts import Tree
from mmx.audit.verify import Finding, Kind, Tell, verify
from mmx.dvc_state.forget import clear_rwlock, forget_runs, objects_at, stages_with
from mmx.dvc_state.lock import forget_outs, read_lock
from mmx.engine.parquet import UNREADABLE
from mmx.engine.receipt import Receipt, ReceiptError
from mmx.engine.store import Store
from mmx.features.receipts import receipt_of
from mmx.features.schema import RECEIPTS_FILE
from mmx.outputs import Files, content_files, receipt_files, sound_receipts
from mmx.pipeline.run import cached_output
from mmx.pipeline.step import ItemStep
from mmx.project import Project


@dataclass(frozen=True)
class Repair:
    """What `mmx repair` did."""

    removed: tuple[Finding, ...]
    """Taken out; `dvc repro` makes them again."""
    sources: tuple[Finding, ...]
    """Videos and weights, which only their owner can restore."""
    left: tuple[Finding, ...]
    """Not touched: `dvc repro` or a person deals with them."""
    stages: tuple[str, ...]
    """Stages that `dvc repro` will run again."""


def repair(project: Project, *, tell: Tell = lambda done, total: None) -> Repair:
    """Verify everything and take what is damaged and can be made again out of everywhere.

    Healthy neighbours are secured in the item store first, so that nothing else is computed again.
    Raise StoreBusyError while a run is in progress.
    """
    with project.store.locked("repair"):
        tree = Tree(project)
        findings = verify(project, tell=tell).findings
        removed = tuple(finding for finding in findings if is_removable(finding))
        sources = tuple(finding for finding in findings if finding.source)
        left = tuple(finding for finding in findings if finding not in (*removed, *sources))
        paths = {path for finding in removed for path in finding.paths}
        lock, cache = read_lock(tree.root), tree.history.cache
        lost = objects_at(paths, tree.root, lock, cache)
        stages = stages_with(paths, lost, tree.root, lock, cache)
        remove_damaged(project.store, paths, findings)
        # What is secured may lie in the store under the very names that were just forgotten.
        store_healthy_items(tree, stages, paths)
        for path in paths:
            if not path.is_relative_to(project.store.root):
                path.unlink(missing_ok=True)
        if cache:
            forget_runs(
                cache, lost | {md5 for name in stages for md5 in lock.stages[name].values()}
            )
        clear_rwlock(tree.root)
        forget_outs(tree.root, stages)
    return Repair(removed, sources, left, tuple(sorted(stages)))


def is_removable(finding: Finding) -> bool:
    """Say whether a finding is a damaged file that the pipeline can make again."""
    return finding.kind == Kind.CHANGED and not finding.source and bool(finding.paths)


def remove_damaged(store: Store, paths: set[Path], findings: Iterable[Finding]) -> None:
    """Remove damaged objects from the store, and every receipt of an object that is not there."""
    for path in paths:
        if path.is_relative_to(store.root):
            path.unlink(missing_ok=True)
    missing = {path for f in findings if f.kind == Kind.MISSING for path in f.paths}
    gone = {path.name for path in paths | missing if path.is_relative_to(store.root / "objects")}
    for receipt in store.receipts() if gone else ():
        if any(output.sha256 in gone for output in receipt.outputs):
            store.forget(receipt)


def store_healthy_items(tree: Tree, stages: set[str], damaged: set[Path]) -> None:
    """Put every healthy item of the stages into the store: dvc.lock will not lead to them."""
    store = tree.project.store
    for step in tree.steps:
        if step.name in stages:
            files = Files(content_files(tree.out(step)), damaged)
            for item, receipt in all_receipts(tree, step):
                known = store.find(step.name, receipt.fingerprint)
                if known is None and step.output.take(item, receipt, files, store):
                    store.commit(receipt)


def all_receipts(tree: Tree, step: ItemStep) -> Iterator[tuple[str, Receipt]]:
    """Yield (item, receipt) of what a step made, as far as there is a sound receipt of it.

    A receipt stands in the step's output, in the work tree or in DVC's cache, and in the feature
    store's table: where one is damaged, there is another.
    """
    present = [
        pair for path in receipt_files(tree.out(step)) for pair in sound_receipts(path).items()
    ]
    yield from present or cached_output(step, tree.project).receipts.values()
    yield from published_receipts(tree.project.layout.features / RECEIPTS_FILE, step)


def published_receipts(table: Path, step: ItemStep) -> Iterator[tuple[str, Receipt]]:
    """Yield (item, receipt) of every sound row of a step in the feature store's receipts."""
    try:
        rows = pq.read_table(table, filters=[("step", "==", step.name)]).to_pylist()
    except UNREADABLE:
        return
    for row in rows:
        with suppress(ReceiptError, ValueError, KeyError, TypeError):
            receipt = receipt_of(row)
            yield from ((trailer, receipt) for trailer in row["trailers"])
