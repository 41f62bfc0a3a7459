"""Who is there is seen by everybody else; who is gone, by no one."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmx.engine import presence
from mmx.engine.presence import GONE, announced, others


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def elsewhere(folder: Path, process: int = 1, host: str = "elsewhere") -> Path:
    path = folder / f"worker~{host}~{process}~00"
    path.write_text("flow 1/2")
    return path


def test_each_sees_the_others_of_the_kinds_that_it_asks_for(tmp_path: Path) -> None:
    with announced(tmp_path, "run", "flow") as run, announced(tmp_path, "worker", "audio") as one:
        said = f"process {os.getpid()} on {socket.gethostname()}"
        assert others(run, "run", "worker") == [f"audio, {said}"]
        assert others(run, "run") == []
        assert others(one, "run") == [f"flow, {said}"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seconds", [GONE + 60, -GONE - 60, 1e9])
def test_who_was_not_there_for_long_is_gone(tmp_path: Path, seconds: float) -> None:
    path = elsewhere(tmp_path)
    with announced(tmp_path, "run", "flow") as own:
        age(path, GONE - 60)
        assert others(own, "worker") == ["flow 1/2"]
        age(path, seconds)
        assert others(own, "worker") == [] and not path.exists()


def test_a_process_of_this_host_that_died_is_gone_at_once(tmp_path: Path) -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    path = elsewhere(tmp_path, done.pid, socket.gethostname())
    alive = elsewhere(tmp_path, os.getppid(), socket.gethostname())
    other = elsewhere(tmp_path, done.pid)
    with announced(tmp_path, "run", "flow") as own:
        assert others(own, "worker") == ["flow 1/2"] * 2
    assert not path.exists() and alive.exists() and other.exists()


def test_a_process_that_has_ended_and_was_not_collected_is_gone(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    while Path(f"/proc/{ended.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)
    path = elsewhere(tmp_path, ended.pid, socket.gethostname())
    with announced(tmp_path, "run", "flow") as own:
        assert others(own, "worker") == []
    assert not path.exists()
    ended.wait()


def test_a_touch_at_intervals_keeps_a_process_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "BEAT", 0.01)
    with announced(tmp_path, "worker", "flow") as path:
        age(path, GONE + 60)
        while time.time() - path.stat().st_mtime > GONE:
            time.sleep(0.01)
        path.unlink()
        while not path.exists():
            time.sleep(0.01)
    time.sleep(0.05)
    assert not path.exists()


@pytest.mark.parametrize("name", ["worker", "worker~a~b~c", "~~~", "worker~~9999999999999~x"])
def test_odd_files_end_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / name.replace("~~9", f"~{socket.gethostname()}~9")).write_bytes(b"\xff" * 3000)
    os.mkfifo(tmp_path / "worker~pipe~1~0")
    with announced(tmp_path, "run", "flow") as own:
        assert "worker~pipe~1~0" in others(own, "worker")


def test_a_folder_in_their_place_is_nobody(tmp_path: Path) -> None:
    (tmp_path / "worker~elsewhere~1~0").mkdir()
    age(tmp_path / "worker~elsewhere~1~0", GONE + 60)
    with announced(tmp_path, "run", "flow") as own:
        assert others(own, "worker") == []
