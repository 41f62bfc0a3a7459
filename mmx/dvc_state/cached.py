"""A step's last output, as far as DVC's cache still has it.

DVC deletes an output before its stage runs. Whole unchanged shards are restored from the cache, and
so are items that the store has lost. A file is used only if it has the expected digest.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mmx.dvc_state.cache import cached_files, is_intact
from mmx.dvc_state.history import merged_locks
from mmx.engine.atomic import link_or_copy
from mmx.engine.receipt import Receipt
from mmx.engine.shards import by_shard, shard_count
from mmx.engine.store import Store
from mmx.outputs import Files, Output, is_receipts, read_shard, receipts_name


@dataclass(frozen=True)
class CachedOutput:
    """The version of an output directory that dvc.lock names, as DVC's cache has it."""

    root: Path
    """Top folder of the DVC repository."""
    output: Output
    digest: str | None = None
    """md5 of another version's listing."""

    @cached_property
    def files(self) -> Files:
        """The directory's files; empty where the cache has no listing of it."""
        return Files(cached_files(self.root, self.output.folder, self.digest))

    @cached_property
    def merged(self) -> list["CachedOutput"]:
        """The versions of the other sides, if the present commit is a merge or becomes one."""
        outs = (lock.outs.get(self.output.folder) for lock in merged_locks(self.root))
        return [CachedOutput(self.root, self.output, digest) for digest in outs if digest]

    @cached_property
    def receipts(self) -> dict[str, tuple[str, Receipt]]:
        """(item, receipt) by fingerprint."""
        return {
            receipt.fingerprint: (item, receipt)
            for receipts in self.shards.values()
            for item, receipt in receipts.items()
        }

    @cached_property
    def by_item(self) -> dict[str, Receipt]:
        """Receipt by item."""
        return {item: made for receipts in self.shards.values() for item, made in receipts.items()}

    @cached_property
    def shards(self) -> dict[str, dict[str, Receipt]]:
        """Receipts by the name of their file and by item; damaged files are left out."""
        return {
            name: read_shard(path, verify=False)
            for name, path in sorted(self.files.paths.items())
            if is_receipts(name) and is_intact(path)
        }

    def unchanged(self, wanted: Mapping[str, str], store: Store) -> dict[str, Receipt]:
        """Return the receipts of the shards that would be the same again and are still complete.

        wanted: fingerprint by item. An item's own file that the store has lost is put back there.
        """
        kept: dict[str, Receipt] = {}
        count = shard_count(len(wanted))
        for items in by_shard(wanted, count).values():
            made = self.shards.get(receipts_name(items[0], count), {})
            same = {item: made[item].fingerprint for item in made} == {n: wanted[n] for n in items}
            if same and not _to_retry(made, store) and self.is_whole(made, store):
                kept |= made
        return kept

    def is_whole(self, made: Mapping[str, Receipt], store: Store) -> bool:
        """Say whether all outputs of a shard's items are there and unchanged."""
        return self.output.is_whole(made, self.files, store, is_intact)

    def lay_out(self, items: Iterable[str], out: Path) -> None:
        """Link the files of these items' shards into `out`."""
        for shard in by_shard(items, self.files.count):
            for name in self.output.files_of_shard(shard):
                if name in self.files.paths:
                    link_or_copy(self.files.paths[name], out / name)

    def recall(self, fingerprint: str, store: Store) -> Receipt | None:
        """Restore an item from the cache to the store; None where it is not complete there.

        After a merge, the items of the other sides are there, too.
        """
        found = self._recall(fingerprint, store)
        others = () if found or self.digest else self.merged
        return found or next(filter(None, (o._recall(fingerprint, store) for o in others)), None)

    def _recall(self, fingerprint: str, store: Store) -> Receipt | None:
        """Restore an item from this version alone."""
        item, receipt = self.receipts.get(fingerprint, ("", None))
        if receipt is None or not self.output.take(item, receipt, self.files, store):
            return None
        store.commit(receipt)
        return receipt


def _to_retry(made: Mapping[str, Receipt], store: Store) -> bool:
    """Say whether any recorded fault is marked for a retry."""
    return any(
        receipt.fault and store.retry_mark(receipt.fingerprint).exists()
        for receipt in made.values()
    )
