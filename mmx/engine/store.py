"""The item store: content-addressed objects, and a receipt for each item.

    objects/ab/abcd...        the bytes whose sha256 is abcd..., read-only
    receipts/STEP/ab/abcd...  the receipt of the item with that fingerprint
    scratch/FINGERPRINT/      partial results of a resumable item
    retry/FINGERPRINT         marks a recorded fault that is to be tried again
    renew/STEP                digest of the code with which a step is to be recomputed
    tmp/                      working folders of items being computed
    journal/STEP.jsonl        when, where, how long; never an input
    runs.jsonl                when a step began and ended, and what failed
    journal/STEP/WORKER.jsonl the same, of a worker beside others
    present/                  who is using the store, on which host
    lock                      held by the run in progress on this host

An object is renamed into place before the receipt that names it is: a receipt is the commit point,
and an item without one does not count. So several workers on several hosts can add items at once
without locks (`Store.joined`): of two who make the same, either's files are the item. What removes
or lays out items is alone (`Store.locked`).
"""

import contextlib
import errno
import fcntl
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmx.engine.atomic import link_or_copy, sync, write_atomic
from mmx.engine.canonical import bytes_digest, canonical, file_digest
from mmx.engine.errors import ReceiptError, StoreBusyError, StoreError
from mmx.engine.files import FileRefusedError, read_regular
from mmx.engine.plain import is_sha256
from mmx.engine.presence import announced, others, remove_own_host
from mmx.engine.receipt import OutputFile, Receipt

LARGEST, LARGEST_JOURNAL = 1 << 26, 1 << 32
"""Bytes of a receipt, and of the journal of a step."""
_RUN, _WORKER = "run", "worker"
"""Kinds of users of a store: one who is alone, and one of several."""


def _json(content: bytes) -> Any:
    """Return JSON data; None where it is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _receipt_at(path: Path) -> Receipt:
    """Return the receipt in a file; raise ReceiptError where it is none."""
    try:
        return Receipt.from_dict(_json(read_regular(path, LARGEST)))
    except (IsADirectoryError, FileRefusedError) as error:
        raise ReceiptError(f"not a receipt: {error}") from None


@dataclass(frozen=True)
class Store:
    """A folder of objects and receipts; instances are cheap and can be sent to workers."""

    root: Path
    writer: str = ""
    """The name of the worker beside others whose journal `note` writes."""

    def object(self, sha256: str) -> Path:
        """Return where the object with this sha256 lies, whether or not it is there."""
        return self.root / "objects" / sha256[:2] / sha256

    def receipt_path(self, step: str, fingerprint: str) -> Path:
        """Return where the receipt lies, whether or not it is there."""
        return self.root / "receipts" / step / fingerprint[:2] / f"{fingerprint}.json"

    def find(self, step: str, fingerprint: str) -> Receipt | None:
        """Return the receipt if it is there and valid, and all its objects have their size."""
        try:
            receipt = _receipt_at(self.receipt_path(step, fingerprint))
        except (FileNotFoundError, NotADirectoryError, ReceiptError):
            return None
        whole = receipt.fingerprint == fingerprint and all(map(self.holds, receipt.outputs))
        return receipt if whole else None

    def holds(self, output: OutputFile) -> bool:
        """Say whether the object of `output` is there with the right size, and is no link."""
        try:
            # As text: thousands of files are looked at, and paths take most of the time.
            found = os.lstat(f"{self.root}/objects/{output.sha256[:2]}/{output.sha256}")
        except (FileNotFoundError, NotADirectoryError):
            return False
        return stat.S_ISREG(found.st_mode) and found.st_size == output.size

    def put_file(self, path: Path, name: str) -> OutputFile:
        """Move the file at `path` into the store; `name` is its name within the item."""
        os.chmod(path, 0o444)
        sync(path)
        sha256, size = file_digest(path), path.stat().st_size
        target = self.object(sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, target)
        sync(target.parent)
        return OutputFile(name, sha256, size)

    def put_bytes(self, content: bytes, name: str) -> OutputFile:
        """Keep `content` in the store under the name `name` of an item."""
        output = OutputFile(name, bytes_digest(content), len(content))
        if not self.holds(output):
            target = self.object(output.sha256)
            write_atomic(target, content)
            os.chmod(target, 0o444)
        return output

    def link(self, path: Path, output: OutputFile) -> None:
        """Hard-link a file that is already known to be `output` into the store."""
        target = self.object(output.sha256)
        target.unlink(missing_ok=True)
        link_or_copy(path.resolve(), target)
        os.chmod(target, 0o444)

    def put_folder(self, folder: Path) -> tuple[OutputFile, ...]:
        """Move every file below `folder` into the store, in the order of their names."""
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return tuple(self.put_file(path, path.relative_to(folder).as_posix()) for path in files)

    def commit(self, receipt: Receipt) -> None:
        """Write the receipt: from then on the item counts as made."""
        path = self.receipt_path(receipt.ingredients.step, receipt.fingerprint)
        write_atomic(path, canonical(receipt.to_dict()))
        self.retry_mark(receipt.fingerprint).unlink(missing_ok=True)

    def retry_mark(self, fingerprint: str) -> Path:
        """Return the file whose presence says that the item's fault is to be tried again."""
        return self.root / "retry" / fingerprint

    def renew(self, step: str, digest: str) -> None:
        """Note that a step is to be computed with the code that has this digest."""
        write_atomic(self.root / "renew" / step, digest.encode())

    def renewed(self, step: str) -> str:
        """Return the digest that `renew` noted; empty where there is none."""
        try:
            digest = read_regular(self.root / "renew" / step, LARGEST).decode("utf-8", "replace")
        except (FileNotFoundError, IsADirectoryError, FileRefusedError):
            return ""
        return digest if is_sha256(digest) else ""

    def forget(self, receipt: Receipt) -> None:
        """Remove the receipt, so that the item is made again; objects stay until pruned."""
        self.receipt_path(receipt.ingredients.step, receipt.fingerprint).unlink(missing_ok=True)

    def receipts(self, step: str = "*") -> Iterator[Receipt]:
        """Yield every valid receipt of a step, or of all steps, in the order of their files."""
        for path in sorted((self.root / "receipts").glob(f"{step}/*/*.json")):
            with contextlib.suppress(ReceiptError):
                yield _receipt_at(path)

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """Yield an empty folder on the store's file system; it is gone afterwards."""
        parent = self.root / "tmp"
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def scratch(self, fingerprint: str) -> Path:
        """Return the folder for the partial results of a resumable item."""
        folder = self.root / "scratch" / fingerprint
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def drop_scratch(self, fingerprint: str) -> None:
        """Remove a finished item's scratch folder."""
        shutil.rmtree(self.root / "scratch" / fingerprint, ignore_errors=True)

    def note(self, step: str, entry: dict[str, Any]) -> None:
        """Append one line to the step's journal."""
        folder = self.root / "journal"
        # Two hosts that append to one file over a network can overwrite each other's lines.
        path = folder / step / f"{self.writer}.jsonl" if self.writer else folder / f"{step}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(canonical(entry) + b"\n")

    @property
    def runs(self) -> Path:
        """The file that `note_run` writes."""
        return self.root / "runs.jsonl"

    def note_run(self, entry: dict[str, Any]) -> None:
        """Append one line on a run: it began, it ended, or an item failed."""
        self.root.mkdir(parents=True, exist_ok=True)
        with self.runs.open("ab") as file:
            file.write(canonical(entry) + b"\n")

    def journal(self, step: str) -> list[dict[str, Any]]:
        """Return the step's journal, oldest first; a line cut off by a crash is left out."""
        folder = self.root / "journal"
        entries = _journal_at(folder / f"{step}.jsonl")
        parts = sorted((folder / step).glob("*.jsonl"))
        if parts:
            entries += [entry for part in parts for entry in _journal_at(part)]
            entries.sort(key=lambda entry: str(entry.get("finished")))
        return entries

    @contextmanager
    def locked(self, purpose: str) -> Iterator[None]:
        """Hold the store for one run; raise StoreBusyError naming the run or worker that uses it.

        What a killed run left in tmp/ is removed first: no other run can be using it.
        """
        with self._lock(fcntl.LOCK_EX) as lock:
            if lock.held:
                # A run that was killed loses the lock before it is seen to be gone.
                remove_own_host(self.root / "present", _RUN)
            with self._alone(_RUN, purpose, _RUN, _WORKER):
                os.ftruncate(lock.descriptor, 0)
                os.write(lock.descriptor, f"{purpose}, process {os.getpid()}".encode())
                shutil.rmtree(self.root / "tmp", ignore_errors=True)
                yield

    @contextmanager
    def joined(self, purpose: str) -> Iterator["Store"]:
        """Use the store beside other workers, here and on other hosts, to add items.

        Yield the store as this worker writes it. Raise StoreBusyError naming a run in progress.
        """
        with self._alone(_WORKER, purpose, _RUN) as own:
            with self._lock(fcntl.LOCK_SH):
                pass
            yield replace(self, writer=own.name)

    @contextmanager
    def _alone(self, kind: str, purpose: str, *refused: str) -> Iterator[Path]:
        """Announce a user of the store; raise StoreBusyError where there is one of `refused`."""
        with announced(self.root / "present", kind, purpose) as own:
            if found := others(own, *refused):
                raise _busy(found[0])
            yield own

    @contextmanager
    def _lock(self, operation: int) -> "Iterator[_Lock]":
        """Hold the lock of this host, shared or not, where there are locks."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreError(f"the item store cannot be written: {error.strerror}") from error
        try:
            yield _Lock(descriptor, _take_lock(descriptor, operation))
        finally:
            os.close(descriptor)


@dataclass(frozen=True)
class _Lock:
    """The open file that runs of this host lock."""

    descriptor: int
    held: bool
    """False where the file system has no locks: presence must do."""


def _take_lock(descriptor: int, operation: int) -> bool:
    """Lock an open file or raise StoreBusyError; return False where there are no locks."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        raise _busy(os.read(descriptor, 200).decode("utf-8", "replace").strip()) from None
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP):
            raise
        return False


def _busy(holder: str) -> StoreBusyError:
    return StoreBusyError(f"another run is using the item store: {holder}")


def _journal_at(path: Path) -> list[dict[str, Any]]:
    """Return the valid lines of a journal; none where there is no file."""
    try:
        lines = read_regular(path, LARGEST_JOURNAL).splitlines()
    except (FileNotFoundError, IsADirectoryError, FileRefusedError):
        return []
    return [entry for line in lines if isinstance(entry := _json(line), dict)]
