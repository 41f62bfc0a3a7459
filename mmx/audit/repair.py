"""Remove every copy of damaged results, so that `dvc repro` makes exactly those again.

DVC alone cannot do this: a damaged file that is a hard link into DVC's cache is restored from the
cache with the same damage, and is then considered up to date.
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
from mmx.engine.errors import ReceiptError
from mmx.engine.parquet import UNREADABLE
from mmx.engine.receipt import Receipt
from mmx.engine.store import Store
from mmx.features.receipts import receipt_of
from mmx.features.schema import RECEIPTS_FILE
from mmx.outputs import Files, content_files, receipt_files, valid_receipts
from mmx.pipeline.run import cached_output
from mmx.pipeline.step import ItemStep
from mmx.project import Project


@dataclass(frozen=True)
class Repair:
    """What `mmx repair` did."""

    removed: tuple[Finding, ...]
    """Removed; `dvc repro` makes them again."""
    sources: tuple[Finding, ...]
    """Videos, weights and the split, which no step can make again."""
    left: tuple[Finding, ...]
    """Left as they are, for `dvc repro` or for the user."""
    stages: tuple[str, ...]
    """Stages that `dvc repro` will run again."""


def repair(project: Project, *, tell: Tell = lambda done, total: None) -> Repair:
    """Verify everything, and remove every copy of what is damaged and can be made again.

    Other items of the same stages are put into the item store, so that they are not recomputed.
    Raise StoreBusyError while a run is in progress.
    """
    with project.store.locked("repair"):
        tree = Tree(project)
        findings = verify(project, tell=tell).findings
        removed = tuple(finding for finding in findings if _is_removable(finding))
        sources = tuple(finding for finding in findings if finding.source)
        left = tuple(finding for finding in findings if finding not in (*removed, *sources))
        paths = {path for finding in removed for path in finding.paths}
        lock, cache = read_lock(tree.root), tree.history.cache
        lost = objects_at(paths, tree.root, lock, cache)
        stages = stages_with(paths, lost, tree.root, lock, cache)
        _remove_damaged(project.store, paths, findings)
        # After the removal: these items may have the same names in the store as the damaged ones.
        _store_healthy_items(tree, stages, paths)
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


def _is_removable(finding: Finding) -> bool:
    """Return whether a finding is a damaged file that the pipeline can make again."""
    return finding.kind == Kind.CHANGED and not finding.source and bool(finding.paths)


def _remove_damaged(store: Store, paths: set[Path], findings: Iterable[Finding]) -> None:
    """Remove damaged objects from the store, and every receipt of an object that is not there."""
    for path in paths:
        if path.is_relative_to(store.root):
            path.unlink(missing_ok=True)
    missing = {path for f in findings if f.kind == Kind.MISSING for path in f.paths}
    gone = {path.name for path in paths | missing if path.is_relative_to(store.root / "objects")}
    for receipt in store.receipts() if gone else ():
        if any(output.sha256 in gone for output in receipt.outputs):
            store.forget(receipt)


def _store_healthy_items(tree: Tree, stages: set[str], damaged: set[Path]) -> None:
    """Put every healthy item of the stages into the store: dvc.lock will no longer name them."""
    store = tree.project.store
    for step in tree.steps:
        if step.name in stages:
            files = Files(content_files(tree.out(step)), damaged)
            for item, receipt in _all_receipts(tree, step):
                known = store.find(step.name, receipt.fingerprint)
                if known is None and step.output.take(item, receipt, files, store):
                    store.commit(receipt)


def _all_receipts(tree: Tree, step: ItemStep) -> Iterator[tuple[str, Receipt]]:
    """Yield (item, receipt) for the items of a step that have a valid receipt.

    A receipt is in the step's output (work tree or DVC's cache) and in the feature store's table;
    if one copy is damaged, another is used.
    """
    present = [
        pair for path in receipt_files(tree.out(step)) for pair in valid_receipts(path).items()
    ]
    yield from present or cached_output(step, tree.project).receipts.values()
    yield from _published_receipts(tree.project.layout.features / RECEIPTS_FILE, step)


def _published_receipts(table: Path, step: ItemStep) -> Iterator[tuple[str, Receipt]]:
    """Yield (item, receipt) of every valid row of a step in the feature store's receipts."""
    try:
        rows = pq.read_table(table, filters=[("step", "==", step.name)]).to_pylist()
    except UNREADABLE:
        return
    for row in rows:
        with suppress(ReceiptError, ValueError, KeyError, TypeError):
            receipt = receipt_of(row)
            yield from ((trailer, receipt) for trailer in row["trailers"])
