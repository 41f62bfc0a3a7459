"""Preloaded commands end, print and start others as those that they stand for."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

POOL = """
MODULES = "set(__import__('sys').modules)"
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

with ProcessPoolExecutor(2, get_context("spawn")) as pool:
    print(sum(pool.map(abs, [-1, -2, 3])), "torch" in pool.submit(eval, MODULES).result())
"""


@pytest.fixture
def python(preloaded: Path | None) -> str:
    if preloaded is None:
        pytest.skip("this system cannot wait for a process by a file")
    return str(preloaded / "python")


@pytest.mark.parametrize(
    ("code", "ends"),
    [
        ("", 0),
        ("raise SystemExit(4)", 4),
        ("raise SystemExit('a sentence')", 1),
        ("raise ValueError", 1),
        ("import os; os.kill(os.getpid(), 9)", -9),
        ("import os; os.kill(os.getpid(), 15)", -15),
    ],
)
def test_it_ends_as_the_interpreter_ends(python: str, code: str, ends: int) -> None:
    done = subprocess.run([python, "-c", code], stderr=subprocess.DEVNULL, check=False)
    assert done.returncode == ends


def test_it_has_the_arguments_the_folder_the_environment_and_the_files(
    python: str, tmp_path: Path
) -> None:
    (tmp_path / "beside.py").write_text("word = 'beside'")
    code = (
        "import os, sys, beside; "
        "print(beside.word, os.getcwd(), os.environ, sys.argv, sys.stdin.read(), os.read({}, 9))"
    )
    read, write = os.pipe()
    os.write(write, b"a pipe")
    said = [
        subprocess.run(
            [command, "-c", code.format(read), "an argument"],
            cwd=tmp_path,
            env={"A": "b"},
            input="typed",
            pass_fds=[read],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for command in (python, sys.executable)
        if command == python or os.write(write, b"a pipe")
    ]
    os.close(read)
    os.close(write)
    assert "typed b'a pipe'" in said[0] and said[0] == said[1]


def test_workers_of_a_command_are_preloaded_too(python: str) -> None:
    done = subprocess.run([python, "-c", POOL], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["6", "True"]


def test_a_command_that_is_killed_takes_its_fork_along(python: str, tmp_path: Path) -> None:
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    with subprocess.Popen([python, "-c", code], stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout
        fork = int(command.stdout.readline())
        command.kill()
    while Path(f"/proc/{fork}/exe").exists():
        time.sleep(0.01)
