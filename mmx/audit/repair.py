"""Take damaged results out of everywhere, so that `dvc repro` makes exactly those again.

DVC alone cannot: a damaged file that has one inode with DVC's cache is restored from that cache,
damage included, and called up to date.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from mmx.audit.artefacts import Tree, receipt_files
from mmx.audit.verify import Finding, Kind, Tell, verify
from mmx.dvc_state.history import LOCK, HistoryError, Version
from mmx.engine.atomic import write_atomic
from mmx.engine.canonical import bytes_digest, file_digest
from mmx.engine.errors import ReceiptError
from mmx.engine.receipt import OutputFile, Receipt
from mmx.engine.rows import encode_rows
from mmx.engine.store import Store
from mmx.features.receipts import receipt_of
from mmx.features.schema import RECEIPTS
from mmx.outputs import UNREADABLE, item_rows, shard_of
from mmx.pipeline import earlier_output
from mmx.project import Project
from mmx.steps import Step


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
        lost = lost_objects(tree, paths)
        stages = stages_of(tree, paths, lost)
        forget(project.store, paths, findings)
        # What is secured may lie in the store under the very names that were just forgotten.
        secure(tree, stages, paths)
        for path in paths:
            if not path.is_relative_to(project.store.root):
                path.unlink(missing_ok=True)
        forget_runs(tree, stages, lost)
        clear_rwlock(tree.root / ".dvc" / "tmp" / "rwlock")
        forget_outs(tree.root / LOCK, stages)
    return Repair(removed, sources, left, tuple(sorted(stages)))


def is_removable(finding: Finding) -> bool:
    """Say whether a finding is a damaged file that the pipeline can make again."""
    return finding.kind == Kind.CHANGED and not finding.source and bool(finding.paths)


def locked_stages(lock: Path) -> dict[str, dict[str, Any]]:
    """Return the stages of dvc.lock; none where it is missing."""
    if not lock.exists():
        return {}
    return (yaml.safe_load(lock.read_text(encoding="utf-8")) or {}).get("stages", {})


def stages_of(tree: Tree, paths: Iterable[Path], lost: set[str]) -> set[str]:
    """Return the stages in dvc.lock whose outputs have any of the files or of the lost objects."""
    version = tree.version
    return {
        name
        for name, stage in locked_stages(tree.root / LOCK).items()
        for out in stage.get("outs", [])
        if any(path.is_relative_to(tree.root / out["path"]) for path in paths)
        or (version and not lost.isdisjoint(objects_of(version, out["path"])))
    }


def objects_of(version: Version, out: str) -> set[str]:
    """Return the md5 of an output, and of every file in it."""
    return {version.outs[out], *listed(version, out).values()}


def lost_objects(tree: Tree, paths: set[Path]) -> set[str]:
    """Return the md5, as DVC writes it, of every object that the files are or should be."""
    lost = set()
    if tree.history.cache:
        inside = (path for path in paths if path.is_relative_to(tree.history.cache))
        lost = {path.parent.name + path.name for path in inside}
    version = tree.version
    for out, digest in version.outs.items() if version else ():
        if tree.root / out in paths:
            lost.add(digest)
        files = listed(version, out).items() if version else ()
        lost |= {md5 for name, md5 in files if tree.root / out / name in paths}
    return lost


def listed(version: Version, out: str) -> dict[str, str]:
    """Return the listing of an output; empty for a file, or where DVC's cache has lost it."""
    if not version.outs[out].endswith(".dir"):
        return {}
    try:
        return version.listing(out)
    except HistoryError:
        return {}


def forget(store: Store, paths: set[Path], findings: Iterable[Finding]) -> None:
    """Remove damaged objects from the store, and every receipt of an object that is not there."""
    for path in paths:
        if path.is_relative_to(store.root):
            path.unlink(missing_ok=True)
    missing = {path for f in findings if f.kind == Kind.MISSING for path in f.paths}
    gone = {path.name for path in paths | missing if path.is_relative_to(store.root / "objects")}
    for receipt in store.receipts() if gone else ():
        if any(output.sha256 in gone for output in receipt.outputs):
            store.forget(receipt)


def secure(tree: Tree, stages: set[str], damaged: set[Path]) -> None:
    """Put every healthy item of the stages into the store: dvc.lock will not lead to them."""
    store = tree.project.store
    for step in tree.steps:
        if step.name in stages:
            for item, receipt in sound_receipts(tree, step):
                if store.find(step.name, receipt.fingerprint) is None:
                    salvage(tree, step, item, receipt, damaged)


def sound_receipts(tree: Tree, step: Step) -> Iterator[tuple[str, Receipt]]:
    """Yield (item, receipt) of what a step made, as far as anybody has a sound record of it.

    A receipt stands in the store, in the step's output, in the work tree or cached, and in the
    feature store's table: for one that is damaged here there is another.
    """
    lines = [line for path in receipt_files(tree, step) for line in path.read_bytes().splitlines()]
    if not lines:
        yield from earlier_output(step, tree.project).receipts.values()
    for line in lines:
        try:
            entry = json.loads(line)
            yield entry["item"], Receipt.from_dict(entry["receipt"])
        except (ReceiptError, ValueError, KeyError, TypeError):
            continue
    yield from published_receipts(tree.project.layout.features / RECEIPTS, step)


def published_receipts(table: Path, step: Step) -> Iterator[tuple[str, Receipt]]:
    """Yield (item, receipt) of every sound row of a step in the feature store's receipts."""
    try:
        rows = pq.read_table(table, filters=[("step", "==", step.name)]).to_pylist()
    except UNREADABLE:
        return
    for row in rows:
        with suppress(ReceiptError, ValueError, KeyError, TypeError):
            receipt = receipt_of(row)
            yield from ((trailer, receipt) for trailer in row["trailers"])


def salvage(tree: Tree, step: Step, item: str, receipt: Receipt, damaged: set[Path]) -> None:
    """Take an item from the output directory into the store, if all of it is healthy there."""
    store, out = tree.project.store, tree.out(step)
    for output in receipt.outputs:
        if store.holds(output):
            continue
        if step.kind == "table":
            content = healthy_rows(out / f"{step.affix}{shard_of(item)}.parquet", item, output)
            if content is None:
                return
            store.put_bytes(content, output.name)
            continue
        path = out / (output.name if step.kind == "tree" else f"{item}{step.affix}")
        if path in damaged or not path.exists() or file_digest(path) != output.sha256:
            return
        store.link(path, output)
    store.commit(receipt)


def healthy_rows(shard: Path, item: str, output: OutputFile) -> bytes | None:
    """Return an item's rows out of a shard as the item made them; None where they are damaged."""
    try:
        content = encode_rows(item_rows(pq.read_table(shard), item))
    except UNREADABLE:
        return None
    return content if bytes_digest(content) == output.sha256 else None


def forget_runs(tree: Tree, stages: set[str], lost: set[str]) -> None:
    """Remove the entries of DVC's run-cache that would bring a lost object back."""
    cache = tree.history.cache
    if cache is None:
        return
    outs = [out for name in stages for out in locked_stages(tree.root / LOCK)[name].get("outs", [])]
    gone = lost | {out["md5"] for out in outs if "md5" in out}
    for path in sorted((cache.parent.parent / "runs").glob("??/*/*")):
        if any(leads_to(md5, gone, cache) for md5 in outs_of_run(path)):
            path.unlink()
            # DVC stumbles over a folder of runs without any.
            if not any(path.parent.iterdir()):
                path.parent.rmdir()


def outs_of_run(path: Path) -> list[str]:
    """Return the md5 of every output of a run-cache entry; one empty text where it is damaged."""
    try:
        entry = yaml.safe_load(path.read_text(encoding="utf-8"))
        return [out["md5"] for out in entry.get("outs", []) if "md5" in out]
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, TypeError):
        return [""]


def leads_to(md5: str, gone: set[str], cache: Path) -> bool:
    """Say whether an output is lost, or is a directory with a lost file in it."""
    if not md5 or md5 in gone:
        return True
    if not md5.endswith(".dir"):
        return False
    listing = cache / md5[:2] / md5[2:]
    try:
        return any(entry["md5"] in gone for entry in json.loads(listing.read_bytes()))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return True


def clear_rwlock(path: Path) -> None:
    """Remove DVC's list of who reads and writes what, if a kill left half of it.

    DVC refuses to do anything with a broken one; who is alive writes it anew.
    """
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except ValueError:
        path.unlink()


def forget_outs(lock: Path, stages: set[str]) -> None:
    """Take the outputs of the stages out of dvc.lock; the stages keep their places in it."""
    if not stages:
        return
    data = yaml.safe_load(lock.read_text(encoding="utf-8"))
    for name in stages:
        data["stages"][name].pop("outs", None)
    write_atomic(lock, yaml.safe_dump(data, sort_keys=False, allow_unicode=True).encode())
