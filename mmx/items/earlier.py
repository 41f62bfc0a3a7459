"""What DVC still has of a step's earlier output, for a store that has been lost or never was.

DVC deletes an output before its stage runs, so this reads DVC's cache: the directory listing that
dvc.lock names, then the receipts in it, then the rows or the file of each item asked for. Nothing
is believed: bytes count only if they have the sha256 of their receipt.
"""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from mmx.items.canonical import bytes_digest, file_digest
from mmx.items.receipt import Output, Receipt, ReceiptError
from mmx.items.rows import encode_rows
from mmx.items.shards import RECEIPTS, UNREADABLE, item_rows, shard_of
from mmx.items.store import Store

Kind = Literal["table", "file", "tree"]


@dataclass(frozen=True)
class Earlier:
    """The last committed version of one output directory, as DVC's cache holds it."""

    root: Path
    """Top folder of the DVC repository."""
    out: str
    """The directory, relative to `root`, as dvc.yaml names it."""
    kind: Kind
    affix: str
    """Letter of the shards (table) or suffix of the files (file)."""
    shards: dict[str, pa.Table] = field(default_factory=dict, compare=False)

    @cached_property
    def cache(self) -> Path | None:
        """DVC's local cache of files; None outside a DVC repository."""
        return local_cache(self.root)

    @cached_property
    def files(self) -> dict[str, Path]:
        """Cached file by its name in the directory; empty where DVC has nothing."""
        digest = locked_digest(self.root / "dvc.lock", self.out)
        if digest is None or self.cache is None:
            return {}
        try:
            listing = json.loads(cached_path(self.cache, digest).read_bytes())
            return {entry["relpath"]: cached_path(self.cache, entry["md5"]) for entry in listing}
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return {}

    @cached_property
    def receipts(self) -> dict[str, tuple[str, Receipt]]:
        """(item, receipt) by fingerprint."""
        found = {}
        for name, path in sorted(self.files.items()):
            if name.startswith(f"{RECEIPTS}/"):
                for entry in read_lines(path):
                    receipt = as_receipt(entry)
                    if receipt:
                        found[receipt.fingerprint] = (entry["item"], receipt)
        return found

    def recall(self, fingerprint: str, store: Store) -> Receipt | None:
        """Put an item that DVC has into the store; None where it is not there whole."""
        item, receipt = self.receipts.get(fingerprint, ("", None))
        if receipt is None or not all(self.restore(item, out, store) for out in receipt.outputs):
            return None
        store.commit(receipt)
        return receipt

    def restore(self, item: str, output: Output, store: Store) -> bool:
        """Put one output of an item into the store; say whether its bytes are what they were."""
        if store.holds(output):
            return True
        if self.kind == "table":
            content = self.encoded_rows(item)
            return bytes_digest(content) == output.sha256 and bool(
                store.put_bytes(content, output.name)
            )
        name = output.name if self.kind == "tree" else f"{item}{self.affix}"
        source = self.files.get(name)
        if source is None or not source.exists() or file_digest(source) != output.sha256:
            return False
        store.link(source, output)
        return True

    def encoded_rows(self, item: str) -> bytes:
        """Return the item's rows, cut out of the cached shard, as the item wrote them."""
        name = f"{self.affix}{shard_of(item)}.parquet"
        if name not in self.shards:
            path = self.files.get(name)
            if path is None or not path.exists():
                return b""
            try:
                self.shards[name] = pq.read_table(path)
            except UNREADABLE:
                return b""
        try:
            return encode_rows(item_rows(self.shards[name], item))
        except UNREADABLE:
            return b""


def locked_digest(lock: Path, out: str) -> str | None:
    """Return the md5 that dvc.lock gives an output, or None."""
    try:
        stages = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"].values()
    except (FileNotFoundError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return None
    outs = (entry for stage in stages for entry in stage.get("outs", []))
    return next((entry.get("md5") for entry in outs if entry.get("path") == out), None)


def local_cache(root: Path) -> Path | None:
    """Return the folder of DVC's local cache; None outside a DVC repository."""
    if not (root / ".dvc").is_dir():
        return None
    # Importing DVC takes a second: only a run that misses something pays for it.
    from dvc.repo import Repo

    return Path(Repo(str(root)).cache.local.path)


def cached_output(root: Path, out: str) -> Path | None:
    """Return where DVC's cache keeps an output that is one file; None where it has it not."""
    digest, cache = locked_digest(root / "dvc.lock", out), local_cache(root)
    if digest is None or cache is None:
        return None
    path = cached_path(cache, digest)
    return path if path.exists() else None


def cached_path(cache: Path, md5: str) -> Path:
    """Return where DVC's cache keeps the object with this md5."""
    return cache / md5[:2] / md5[2:]


def read_lines(path: Path) -> list[dict]:
    """Return the JSON lines of a file; none of them where it is missing or damaged."""
    try:
        return [json.loads(line) for line in path.read_bytes().splitlines()]
    except (FileNotFoundError, ValueError):
        return []


def as_receipt(entry: dict) -> Receipt | None:
    """Return the receipt of a line, or None where it does not add up."""
    try:
        return Receipt.from_dict(entry["receipt"])
    except (ReceiptError, KeyError, TypeError):
        return None
