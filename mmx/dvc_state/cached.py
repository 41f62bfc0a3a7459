"""What DVC still has of a step's earlier output: shards to keep, items for a store that lost them.

DVC deletes an output before its stage runs, so this reads DVC's cache: the directory listing that
dvc.lock names, then the receipts in it, then whole shards, or the rows or the file of each item
asked for. Nothing is believed: bytes count only if they have the digest that names them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import orjson
import pyarrow as pa
import yaml

from mmx.engine.atomic import link_or_copy
from mmx.engine.canonical import bytes_digest, file_digest
from mmx.engine.receipt import OutputFile, Receipt
from mmx.engine.rows import encode_rows
from mmx.engine.store import Store
from mmx.outputs import (
    SHARDS,
    UNREADABLE,
    by_shard,
    item_rows,
    read_parquet,
    read_shard,
    receipts_name,
    shard_of,
)

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
    def files(self) -> dict[str, Path]:
        """Cached file by its name in the directory; empty where DVC has nothing."""
        return cached_files(self.root, self.out)

    @cached_property
    def items(self) -> dict[str, dict[str, Receipt]]:
        """Receipts by shard and item; a damaged file of receipts counts as none."""
        found = {}
        for number in range(SHARDS):
            shard = f"{number:02x}"
            path = self.files.get(receipts_name(shard))
            if path is not None and is_intact(path):
                found[shard] = read_shard(path, believe=True)
        return found

    @cached_property
    def receipts(self) -> dict[str, tuple[str, Receipt]]:
        """(item, receipt) by fingerprint."""
        return {
            receipt.fingerprint: (item, receipt)
            for receipts in self.items.values()
            for item, receipt in receipts.items()
        }

    def unchanged(self, wanted: Mapping[str, str], store: Store) -> dict[str, Receipt]:
        """Return the receipts of the shards that would come out as they were and are still whole.

        wanted: fingerprint by item. What DVC lost of a file that has no shard is put back from the
        store or the other way round. A step with a single item has no shards.
        """
        kept: dict[str, Receipt] = {}
        for shard, items in by_shard(wanted).items() if self.kind != "tree" else ():
            made = self.items.get(shard, {})
            same = {name: made[name].fingerprint for name in made} == {n: wanted[n] for n in items}
            if same and not to_retry(made, store) and self.is_whole(shard, made, store):
                kept |= made
        return kept

    def is_whole(self, shard: str, made: Mapping[str, Receipt], store: Store) -> bool:
        """Say whether all that the items of a shard gave is there and what it was."""
        outputs = [(item, output) for item, receipt in made.items() for output in receipt.outputs]
        if self.kind == "file":
            return all(self.restore(item, output, store) for item, output in outputs)
        path = self.files.get(self.table_name(shard))
        return is_intact(path) if path is not None else not outputs

    def lay_out(self, shards: Iterable[str], out: Path) -> None:
        """Link the receipts, and the rows where the step has rows, of whole shards into `out`."""
        for shard in shards:
            for name in (receipts_name(shard), self.table_name(shard)):
                if name in self.files:
                    link_or_copy(self.files[name], out / name)

    def table_name(self, shard: str) -> str:
        """Return the name of a shard's rows; of a step without rows, that of no file."""
        return f"{self.affix}{shard}.parquet"

    def recall(self, fingerprint: str, store: Store) -> Receipt | None:
        """Put an item that DVC has into the store; None where it is not there whole."""
        item, receipt = self.receipts.get(fingerprint, ("", None))
        if receipt is None or not all(self.restore(item, out, store) for out in receipt.outputs):
            return None
        store.commit(receipt)
        return receipt

    def restore(self, item: str, output: OutputFile, store: Store) -> bool:
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
        name = self.table_name(shard_of(item))
        if name not in self.shards:
            path = self.files.get(name)
            if path is None or not path.exists():
                return b""
            try:
                self.shards[name] = read_parquet(path)
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
    # Of DVC only what reads its settings: the rest takes longer to load than this to answer.
    from dvc.config import Config

    folder = Config(str(root / ".dvc"))["cache"].get("dir")
    return Path(folder or root / ".dvc" / "cache") / "files" / "md5"


def cached_output(root: Path, out: str) -> Path | None:
    """Return where DVC's cache keeps an output that is one file; None where it has it not."""
    digest, cache = locked_digest(root / "dvc.lock", out), local_cache(root)
    if digest is None or cache is None:
        return None
    path = cached_path(cache, digest)
    return path if path.exists() else None


def cached_files(root: Path, out: str) -> dict[str, Path]:
    """Return where DVC's cache keeps each file of an output directory, by its name in it.

    Empty where dvc.lock does not name the directory, or where its listing is gone or damaged.
    """
    digest, cache = locked_digest(root / "dvc.lock", out), local_cache(root)
    if digest is None or cache is None or not is_intact(listing := cached_path(cache, digest)):
        return {}
    entries = orjson.loads(listing.read_bytes())
    return {entry["relpath"]: cached_path(cache, entry["md5"]) for entry in entries}


def cached_path(cache: Path, md5: str) -> Path:
    """Return where DVC's cache keeps the object with this md5."""
    return cache / md5[:2] / md5[2:]


def is_intact(path: Path) -> bool:
    """Say whether a file of DVC's cache is there with the content that its name promises."""
    try:
        md5 = file_digest(path, "md5")
    except OSError:
        return False
    return md5 == path.parent.name + path.name.removesuffix(".dir")


def to_retry(made: Mapping[str, Receipt], store: Store) -> bool:
    """Say whether any recorded fault is marked to be tried again."""
    return any(
        receipt.fault and store.retry_mark(receipt.fingerprint).exists()
        for receipt in made.values()
    )
