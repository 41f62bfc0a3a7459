"""The item store without the trailers: receipts, objects, journals, what ingest found, scratch."""

import json
import shutil
from collections.abc import Collection
from pathlib import Path

from mmx.engine.atomic import write_atomic
from mmx.engine.store import Store
from mmx.forget.traces import Traces
from mmx.forget.tree import clean_file, files_below
from mmx.outputs import ALL
from mmx.trailers.inspection_log import drop_inspections


def clean_store(store: Store, traces: Traces, whole: Collection[str]) -> dict[str, int]:
    """Take trailers out of the store; return how many receipts, objects, lines and notes were.

    whole: steps whose one item is made of all trailers; their items are removed too. The lock must
    be held.
    """
    receipts = _drop_receipts(store, traces, whole)
    objects = _drop_objects(store, traces)
    for name in ("scratch", "tmp"):
        shutil.rmtree(store.root / name, ignore_errors=True)
    for fingerprint in traces.fingerprints:
        store.retry_mark(fingerprint).unlink(missing_ok=True)
    journals = [*files_below(store.root / "journal"), *filter(Path.exists, [store.runs])]
    lines = sum(_drop_lines(path, traces) for path in journals)
    return {"receipts": receipts, "objects": objects, "journal lines": lines} | {
        "inspections": drop_inspections(store.root / "inspections.json", traces.content)
    }


def _drop_receipts(store: Store, traces: Traces, whole: Collection[str]) -> int:
    """Remove the receipts of the trailers' items, and of those made of all trailers."""
    dropped = [
        receipt
        for receipt in store.receipts()
        if receipt.fingerprint in traces.fingerprints or receipt.ingredients.step in whole
    ]
    for receipt in dropped:
        store.forget(receipt)
    return len(dropped)


def _drop_objects(store: Store, traces: Traces) -> int:
    """Remove the objects that no receipt names any more and those that have an id in them."""
    used = {output.sha256 for receipt in store.receipts() for output in receipt.outputs}
    dropped = 0
    for path in files_below(store.root / "objects"):
        if path.name not in used or path.name in traces.digests:
            path.unlink()
            dropped += 1
        elif clean_file(path, traces):
            # What is left of it no longer has the digest in its name.
            path.unlink(missing_ok=True)
            dropped += 1
    return dropped


def _drop_lines(journal: Path, traces: Traces) -> int:
    """Remove the trailers' lines from a journal, and those about all trailers stay."""
    lines = journal.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not _is_theirs(line, traces)]
    if len(kept) < len(lines):
        write_atomic(journal, b"".join(kept))
    return len(lines) - len(kept)


def _is_theirs(line: bytes, traces: Traces) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:
        return traces.pattern.search(line) is not None
    return entry.get("item") in traces.ids or (
        entry.get("fingerprint") in traces.fingerprints and entry.get("item") != ALL
    )
