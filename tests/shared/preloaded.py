"""Commands without the seconds that each spends on loading libraries: forks of one process.

`python preloaded.py SOCKET` imports the libraries of mmx, none of mmx itself, and waits. Commands
in the folder that `preloaded_commands` makes pass their arguments, environment, working folder and
open files to it; a fork of it becomes the command and ends as that would have ended. All have the
hash seed of that process: what their results are compared with should come from other commands.
"""

import atexit
import fcntl
import gc
import importlib
import marshal
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

LIBRARIES = (
    "av", "cv2", "dvc.cli.parser", "dvc.repo.reproduce", "dvclive", "numba", "pandas",
    "pyarrow.compute", "pyarrow.dataset", "pyarrow.parquet", "rich.progress", "scenedetect",
    "scipy.stats", "sklearn.metrics", "torch", "torchvision", "typer",
)  # fmt: skip
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""One each, as workers have: a process with other threads cannot be forked safely."""
CLIENT = """\
#!{python} -IS
import marshal, os, signal, socket, sys

opened = [int(name) for name in os.listdir("/proc/self/fd")]
opened = [number for number in opened if os.path.exists(f"/proc/self/fd/{{number}}")]
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
request = marshal.dumps(({name!r}, sys.argv[1:], os.getcwd(), dict(os.environ), opened))
socket.send_fds(server, [len(request).to_bytes(8, "big")], opened)
server.sendall(request)
code = os.waitstatus_to_exitcode(int.from_bytes(server.recv(8), "big"))
if code < 0:
    signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
    os.kill(os.getpid(), -code)
os._exit(code)
"""
HIGH = 512
"""Files are received above this number, out of the way of those that the command had."""


class Request(NamedTuple):
    """A command as it was called."""

    name: str
    arguments: list[str]
    folder: str
    environment: dict[str, str]
    opened: list[int]
    """Numbers that its open files had."""


@contextmanager
def preloaded_commands() -> Iterator[Path | None]:
    """Start a server; yield a folder with `python`, `dvc` and `mmx`. None where that cannot be."""
    if not hasattr(os, "pidfd_open"):
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="mmx-commands-") as name:
        folder, address = Path(name), Path(name) / "socket"
        for command in ("python", "dvc", "mmx"):
            path = folder / command
            path.write_text(
                CLIENT.format(python=sys.executable, address=str(address), name=command)
            )
            path.chmod(0o755)
        environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
        server = subprocess.Popen(
            # Its input ends when this process does, however that ends.
            [sys.executable, __file__, str(address)],
            env=environment,
            stdin=subprocess.PIPE,
        )
        while not address.exists() and server.poll() is None:
            time.sleep(0.05)
        try:
            yield folder
        finally:
            server.terminate()
            server.wait()
            assert server.stdin
            server.stdin.close()


def serve(listener: socket.socket) -> Request:
    """Fork for every request; return it in the fork. A client that goes away ends its fork."""
    waiting: dict[int, tuple[int, socket.socket]] = {}
    while True:
        clients = {client.fileno(): ended for ended, (_, client) in waiting.items()}
        for ready in select.select([0, listener.fileno(), *waiting, *clients], [], [])[0]:
            if ready == 0:
                os._exit(0)
            elif ready == listener.fileno():
                request = accept(listener, waiting)
                if request is not None:
                    return request
            elif ready in waiting:
                child, client = waiting.pop(ready)
                with suppress(BrokenPipeError):
                    client.send(os.waitpid(child, 0)[1].to_bytes(8, "big"))
                client.close()
                os.close(ready)
            elif clients[ready] in waiting:
                os.kill(waiting[clients[ready]][0], signal.SIGKILL)


def accept(
    listener: socket.socket, waiting: dict[int, tuple[int, socket.socket]]
) -> Request | None:
    """Read a request and fork; return it in the fork, and None in the server."""
    client, _ = listener.accept()
    head, received, _, _ = socket.recv_fds(client, 8, 253)
    with client.makefile("rb") as stream:
        request = Request(*marshal.loads(stream.read(int.from_bytes(head, "big"))))
    child = os.fork()
    if child == 0:
        for connection in (listener, client, *(other for _, other in waiting.values())):
            # Their numbers are the command's from now on: nothing may close them later.
            connection.detach()
        take_files(received, request.opened)
        return request
    for number in received:
        os.close(number)
    waiting[os.pidfd_open(child)] = child, client
    return None


def take_files(received: list[int], wanted: list[int]) -> None:
    """Give the received files the numbers that they had, and close all others."""
    moved = [fcntl.fcntl(number, fcntl.F_DUPFD, HIGH) for number in received]
    os.closerange(0, HIGH)
    for number, name in zip(moved, wanted, strict=True):
        os.dup2(number, name)
        os.close(number)


def run(request: Request) -> None:
    """Become the command."""
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False, errors="backslashreplace", buffering=1)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    # What it starts by `sys.executable` is a fork, too: workers, and the code of another project.
    sys.executable = str(Path(sys.argv[1]).parent / "python")
    sys.path[0:1] = filter(None, request.environment.get("PYTHONPATH", "").split(os.pathsep))
    from multiprocessing import spawn

    spawn.set_executable(sys.executable)
    if request.name == "python":
        interpret(request.arguments)
        return
    script = Path(sys.exec_prefix) / "bin" / request.name
    sys.argv = [str(script), *request.arguments]
    runpy.run_path(str(script), run_name="__main__")


def end(code: str | int | None) -> None:
    """End as the interpreter does, but without freeing one by one what the libraries made."""
    if isinstance(code, str):
        print(code, file=sys.stderr)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with suppress(ValueError):  # the command has closed it
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1 if isinstance(code, str) else code or 0)


def interpret(arguments: list[str]) -> None:
    """Do what the interpreter does with its arguments."""
    flags = []
    while arguments[0] in ("-B", "-P"):
        flags.append(arguments.pop(0))
    sys.dont_write_bytecode = "-B" in flags
    kind, *rest = arguments
    if "-P" not in flags:
        sys.path.insert(0, str(Path(kind).parent) if kind[0] != "-" else os.getcwd())
    if kind == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.argv = ["-c", *rest[1:]]
        main = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(rest[0], "<string>", "exec"), vars(main))
    else:
        sys.argv = arguments
        runpy.run_path(kind, run_name="__main__")


if __name__ == "__main__":
    for library in LIBRARIES:
        importlib.import_module(library)
    gc.freeze()
    door = socket.socket(socket.AF_UNIX)
    # Under its name once it listens, which is what the starter waits for.
    door.bind(f"{sys.argv[1]}.new")
    door.listen(64)
    os.rename(f"{sys.argv[1]}.new", sys.argv[1])
    command = serve(door)
    try:
        run(command)
    except SystemExit as exit_:
        end(exit_.code)
    except BaseException:
        traceback.print_exc()
        end(1)
    end(0)
