"""Ctrl-C, SIGTERM, SIGKILL: workers and the programs that they started are gone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ENDING = Path(__file__).parents[1] / "shared" / "ending.py"


def wait_until(true: Callable[[], bool]) -> None:
    """Wait; a test that waits in vain is ended by whoever runs it."""
    while not true():
        time.sleep(0.05)


def alive(pid: str) -> bool:
    """Return whether a process is there and not just waiting to be collected."""
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def start(folder: Path, *before: str, **environment: str) -> "subprocess.Popen[str]":
    """Start the program in its own session; return when both workers are at work."""
    program = subprocess.Popen(
        [*before, sys.executable, str(ENDING), str(folder)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, **environment},
    )
    wait_until(lambda: len(list(folder.iterdir())) == 4 or program.poll() is not None)
    assert program.poll() is None, program.communicate()[1]
    return program


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_processes_and_says_what_is_kept(
    number: signal.Signals, tmp_path: Path
) -> None:
    program = start(tmp_path)
    # A lost terminal's SIGHUP also ends the tracker of shared memory, which then complains.
    program.send_signal(number) if number == signal.SIGHUP else os.killpg(program.pid, number)
    said = program.communicate()[1]
    assert program.returncode == 128 + number
    stopping = "\nstopping; finished items are kept (again: now)\n"
    assert said == (stopping if number == signal.SIGINT else "") + (
        f"error: interrupted by {number.name}; finished items are kept; "
        "run the same command again to continue\n"
    )
    assert not any(alive(path.name) for path in tmp_path.iterdir())


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    slow = (
        "import time; from mmx.errors import report_errors\n"
        "with report_errors():\n"
        "    try: print('at work', flush=True); time.sleep(600)\n"
        "    finally: print('ending', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", slow]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout and program.stdout.readline() == "at work\n"
        program.send_signal(signal.SIGINT)
        assert program.stdout.readline() == "ending\n"
        program.send_signal(signal.SIGINT)
        assert program.wait() == 130


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    program = start(tmp_path)
    program.kill()
    program.communicate()
    wait_until(lambda: not any(alive(path.name) for path in tmp_path.iterdir()))


def test_a_stage_ends_when_dvc_is_killed(tmp_path: Path) -> None:
    shell = [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])"]
    program = start(tmp_path, *shell, DVC_STAGE="flow")
    program.kill()
    wait_until(lambda: not any(alive(path.name) for path in tmp_path.iterdir()))
    assert "interrupted by SIGTERM" in program.communicate()[1]
