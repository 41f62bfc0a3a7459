"""The connection to a cluster, and a node's to the head's files."""

import logging
import os
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

# Before ray is imported, which reads them: no reports to its makers, no dumps of its state.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray

from mmx.engine.pools.cluster import ClusterError
from mmx.engine.pools.head_files import CHUNK
from mmx.engine.receipt import OutputFile
from mmx.engine.store import Store

AT_ONCE = 4
"""Chunks of a file in transfer at a time."""


@dataclass(frozen=True)
class RemoteHead:
    """The head's files, as a worker on a node reaches them."""

    actor: Any

    def size(self, sha256: str) -> int:
        """Return the bytes of an offered file; -1 where it is gone."""
        size: int = ray.get(self.actor.size.remote(sha256))
        return size

    def read_all(self, sha256: str, to: IO[bytes]) -> None:
        """Write an offered file to `to`, several chunks in transfer at a time."""
        size = self.size(sha256)
        for first in range(0, size, AT_ONCE * CHUNK):
            starts = range(first, min(size, first + AT_ONCE * CHUNK), CHUNK)
            for chunk in ray.get([self.actor.read.remote(sha256, start) for start in starts]):
                to.write(chunk)

    def send_all(self, path: Path, expected: OutputFile) -> bool:
        """Send a file to the head's store; False where its bytes did not arrive."""
        upload = ray.get(self.actor.begin.remote())
        sent: list[Any] = []
        with path.open("rb") as file:
            for start in range(0, expected.size, CHUNK):
                sent.append(self.actor.write.remote(upload, start, file.read(CHUNK)))
                if len(sent) == AT_ONCE:
                    ray.get(sent)
                    sent.clear()
        ray.get(sent)
        return bool(ray.get(self.actor.finish.remote(upload, expected)))

    def adopt(self, path: Path, expected: OutputFile) -> bool:
        """Let the head take over a file that it sees; False where it has other bytes."""
        return bool(ray.get(self.actor.adopt.remote(path, expected)))

    def count(self, parts: int) -> None:
        """Tell the head how many more parts are finished."""
        self.actor.count.remote(parts)


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Connect to the cluster; raise ClusterError where there is none."""
    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        ray.init(address, namespace="mmx", log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ClusterError(
            f"no Ray cluster at run.address {address}: {error}; start one with `ray start --head` "
            "(docs/cluster.md), or set run.engine to local"
        ) from None
    if threading.current_thread() is threading.main_thread():
        for number, handler in handlers.items():
            signal.signal(number, handler)
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def run_token(store: Store) -> Iterator[str]:
    """Yield the name of a new file in the store's tmp/, by which a node knows the store."""
    name = f"run-{secrets.token_hex(8)}"
    folder = store.root / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).touch()
    yield name
