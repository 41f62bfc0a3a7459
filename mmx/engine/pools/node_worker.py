"""What a worker on a node does: fetch inputs, compute, deliver outputs. Knows nothing of Ray."""

import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol

from mmx.engine.errors import UserError, machine_fault
from mmx.engine.files import InputChangedError, InputFile
from mmx.engine.make import load, make
from mmx.engine.pools.head_files import CHUNK, HeadError
from mmx.engine.pools.local import THREADS
from mmx.engine.pools.node_cache import NodeCache, known_in_place
from mmx.engine.processor import cap, processor_kind
from mmx.engine.progress import count_with
from mmx.engine.receipt import OutputFile
from mmx.engine.store import Store
from mmx.engine.task import Done, Maker, Recipe, Task

SHARED = "MMX_NODE_SHARED"
"""Environment variable; 0 on a node lets all files travel, though the node sees the store."""
CACHE = "MMX_NODE_CACHE"
"""Environment variable that names the folder for a node's copies of files."""
OBJECTS = "MMX_OBJECTS"
"""Environment variable: URL of a folder of files by digest, read before the head is asked."""
FLUSH_S = 1.0
"""Seconds between reports of finished parts."""


class Head(Protocol):
    """The head's files, wherever they are; methods as those of HeadFiles."""

    def size(self, sha256: str) -> int: ...  # noqa: D102
    def read_all(self, sha256: str, to: IO[bytes]) -> None: ...  # noqa: D102
    def send_all(self, path: Path, expected: OutputFile) -> bool: ...  # noqa: D102
    def adopt(self, path: Path, expected: OutputFile) -> bool: ...  # noqa: D102
    def count(self, parts: int) -> None: ...  # noqa: D102


@dataclass(frozen=True)
class NodeSetting:
    """What a worker needs to know of the run."""

    store: Path
    """The head's store, which the node may or may not see."""
    token: str
    """Name of a file in the store's tmp/ that only this run has."""
    processor: str
    """Cap of the instruction sets."""
    before: str
    """`module:name` of a function to call before the first item."""
    budget: int
    """Bytes of the node's cache."""
    describe: str
    """`module:name` of a function that describes, as text by name, what would compute here."""
    asked: dict[str, Any]
    """Its arguments."""
    device: str
    """`cpu` or `cuda`."""


class NodeWorker:
    """One worker process on a node."""

    def __init__(self, setting: NodeSetting, head: Head) -> None:
        for name in THREADS:
            os.environ[name] = "1"
        cap(setting.processor)
        self.setting, self.head = setting, head
        folder = os.environ.get(CACHE) or Path(tempfile.gettempdir(), f"mmx-node-{os.getuid()}")
        self.cache = NodeCache(Path(folder), setting.budget)
        self.shared = _sees(setting)
        self._folder = self.cache.work_folder()
        self.work = self._folder.__enter__()
        place = setting.store / "tmp" / f"{setting.token}-{socket.gethostname()}-{os.getpid()}"
        self.store = Store(place if self.shared else self.work / "store")
        self.parts = _Parts()
        count_with(self.parts)
        threading.Thread(target=self._report_parts, daemon=True).start()

    def hello(self) -> dict[str, str]:
        """Return what would compute here, for the head to compare."""
        if self.setting.before:
            load(self.setting.before)()
        described: dict[str, str] = load(self.setting.describe)(**self.setting.asked)
        return described

    def compute(
        self, recipe: Recipe, tasks: Sequence[Task], ahead: Sequence[InputFile] = ()
    ) -> list[Done]:
        """Compute tasks and deliver their outputs to the head, which has yet to commit them.

        ahead: files that are likely to be needed next; they are fetched meanwhile.
        """
        self._drop_inputs(tasks)
        threading.Thread(target=self._fetch_ahead, args=(ahead,), daemon=True).start()
        results: dict[str, Done] = {}
        sound = []
        for task in tasks:
            placed = self._placed(task)
            if isinstance(placed, Done):
                results[task.item] = placed
            else:
                sound.append(placed)
        for task, done in zip(sound, make(sound, recipe, self.store), strict=True):
            results[task.item] = self._delivered(done)
        self.head.count(self.parts.take())
        made_by = Maker(socket.gethostname(), self._device(), processor_kind())
        return [replace(results[task.item], made_by=made_by) for task in tasks]

    def _device(self) -> str:
        if self.setting.device == "cpu":
            return "cpu"
        import torch

        return torch.cuda.get_device_name()

    def _placed(self, task: Task) -> Task | Done:
        """Return the task with the inputs at their places here, or why it cannot be computed."""
        try:
            reads = {file.path: self._place(file) for file in task.reads}
        except (InputChangedError, OSError) as error:
            return _failed(error)
        paths = {path: placed.path for path, placed in reads.items()}
        arguments = replace_paths({**task.arguments}, paths, self.work / "trees")
        if "device" in arguments:
            arguments["device"] = self.setting.device
        return replace(task, arguments=arguments, reads=tuple(reads.values()))

    def _place(self, file: InputFile) -> InputFile:
        if self.shared and file.path.exists():
            return file
        path = self.cache.link(file, self.work / "inputs", partial(self._download, file))
        return known_in_place(file, path)

    def _download(self, file: InputFile, to: IO[bytes]) -> int:
        """Write a file's bytes, from the object store or from the head; return how many."""
        url = os.environ.get(OBJECTS)
        if not (url and _read_object(f"{url}/{file.sha256[:2]}/{file.sha256}", to)):
            if self.head.size(file.sha256) < 0:
                raise InputChangedError(f"{file.path.name} is gone: {file.remedy}")
            self.head.read_all(file.sha256, to)
        return to.tell()

    def _fetch_ahead(self, files: Iterable[InputFile]) -> None:
        # What fails here fails again, with its reason, when the item is computed.
        with suppress(Exception):
            for file in files:
                if not (self.shared and file.path.exists()) and not self.cache.has(file.sha256):
                    self.cache.link(file, self.work / "ahead", partial(self._download, file))
        shutil.rmtree(self.work / "ahead", ignore_errors=True)

    def _drop_inputs(self, tasks: Sequence[Task]) -> None:
        """Remove links that these tasks do not need: weights stay where they were loaded from."""
        wanted = {file.sha256 for task in tasks for file in task.reads}
        shutil.rmtree(self.work / "trees", ignore_errors=True)
        for folder in (self.work / "inputs").glob("*"):
            if folder.name not in wanted:
                shutil.rmtree(folder, ignore_errors=True)

    def _delivered(self, done: Done) -> Done:
        """Send the outputs to the head; return the failure where that cannot be done."""
        if done.receipt is None:
            return done
        try:
            for output in set(done.receipt.outputs):
                self._deliver(self.store.object(output.sha256), output)
        except HeadError as error:
            return Done(None, done.seconds, str(error))
        except OSError as error:
            return _failed(error)
        finally:
            self.store.forget(done.receipt)
        return done

    def _deliver(self, path: Path, output: OutputFile) -> None:
        give = self.head.adopt if self.shared else self.head.send_all
        if not give(path, output):
            raise OSError(5, "a result was damaged on its way to the head")
        path.unlink(missing_ok=True)

    def _report_parts(self) -> None:
        while True:
            threading.Event().wait(FLUSH_S)
            if parts := self.parts.take():
                self.head.count(parts)


class _Parts:
    """Counts finished parts until they are reported."""

    def __init__(self) -> None:
        self.value = 0
        self._lock = threading.Lock()

    def get_lock(self) -> threading.Lock:
        """Return the lock to hold while `value` is changed."""
        return self._lock

    def take(self) -> int:
        """Return the count, and start again at zero."""
        with self._lock:
            value, self.value = self.value, 0
        return value


def replace_paths(value: Any, paths: Mapping[Path, Path], trees: Path) -> Any:
    """Return a task's arguments with the inputs' places here.

    A folder that holds inputs is built below `trees`, of links to them.
    """
    again: Callable[[Any], Any] = partial(replace_paths, paths=paths, trees=trees)
    if isinstance(value, Path):
        return paths.get(value) or _tree(value, paths, trees)
    if isinstance(value, dict):
        return {key: again(each) for key, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(again, value))
    return value


def _tree(folder: Path, paths: Mapping[Path, Path], trees: Path) -> Path:
    """Return a folder with the inputs that lie below `folder`; `folder` itself where there are none
    or they are where they were."""
    inside = {path: here for path, here in paths.items() if path.is_relative_to(folder)}
    if all(path == here for path, here in inside.items()):
        return folder
    built = trees / str(len(list(trees.glob("*"))))
    for path, here in inside.items():
        target = built / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(here)
    return built


def _sees(setting: NodeSetting) -> bool:
    token = setting.store / "tmp" / setting.token
    return os.environ.get(SHARED) != "0" and token.is_file() and os.access(token, os.W_OK)


def _read_object(url: str, to: IO[bytes]) -> bool:
    """Write an object to a file; False, and nothing written, where it is not to be had."""
    import fsspec

    try:
        with fsspec.open(url, "rb") as source:
            shutil.copyfileobj(source, to, CHUNK)
    except (OSError, ImportError, ValueError):
        to.seek(0)
        to.truncate()
        return False
    return True


def _failed(error: Exception) -> Done:
    reason = machine_fault(error)
    if isinstance(error, UserError):
        return Done(None, 0.0, str(error))
    return Done(None, 0.0, reason or str(error), machine=isinstance(error, OSError))
