"""How the processes of a run end together, however one of them ends."""

import multiprocessing
import multiprocessing.process
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def end_with_parent() -> None:
    """Let this worker, and the programs that it starts, be killed when its parent is gone.

    It becomes the leader of a process group, out of reach of a terminal's Ctrl-C: its parent
    decides what that means.
    """
    os.setpgid(0, 0)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_wait_for_end, args=(parent,), daemon=True).start()


def _wait_for_end(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os.killpg(0, signal.SIGKILL)


def end_with_dvc() -> None:
    """Let this process, if DVC started it, get SIGTERM when DVC is gone.

    A stage that somebody starts in the background outlives the shell that it was started from.
    """
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=_wait_for_parent, args=(os.getppid(),), daemon=True).start()


def _wait_for_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Start processes that ignore Ctrl-C from their first moment on; one in here comes after."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def children_killed_on_error() -> Iterator[None]:
    """Kill the processes that were started in here, with all they started, if it ends in an error.

    Also when an iterator that is suspended in here is closed.
    """
    before = set(multiprocessing.active_children())
    try:
        yield
    except BaseException:
        for child in set(multiprocessing.active_children()) - before:
            _kill(child)
        raise


def _kill(child: multiprocessing.process.BaseProcess) -> None:
    """Kill a process and its group; of one that has just started, there is no group yet."""
    assert child.pid is not None
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    with suppress(ValueError):
        os.kill(child.pid, signal.SIGKILL) if child.is_alive() else None
