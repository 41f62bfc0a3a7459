"""A run on a full disk; needs the permission to mount one."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.simulated import dvc, write_project
from benchmarks.torture import journal, outputs, receipts
from mmx.audit.verify import verify
from mmx.project import open_project

pytestmark = pytest.mark.slow

EXPERTS = ("lite_motion",)
TRAILERS = 6


def resize(disk: Path, kibibytes: int) -> bool:
    """Mount a small disk in memory, or change the size of the mounted one; False if denied."""
    options = f"size={kibibytes}k" + (",remount" if disk.is_mount() else "")
    mount = shutil.which("mount")
    command = [mount or "", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
    return mount is not None and subprocess.run(command, capture_output=True).returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """An empty disk of 64 MiB."""
    path = tmp_path / "disk"
    path.mkdir()
    if not resize(path, 65536):
        pytest.skip("no disk may be mounted here")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def test_a_run_on_a_full_disk_says_so_and_goes_on_when_there_is_space(
    disk: Path, tmp_path: Path
) -> None:
    whole, root = tmp_path / "whole", disk / "project"
    write_project(whole, TRAILERS, experts=EXPERTS)
    dvc(whole, "repro")
    write_project(root, TRAILERS, experts=EXPERTS)
    dvc(root, "repro", "scenes", "audio")
    filled = shutil.disk_usage(disk).used
    assert resize(disk, filled // 1024 + 40)
    with pytest.raises(RuntimeError, match="the disk is full"):
        dvc(root, "repro")
    finished, before = receipts(open_project(root)), journal(open_project(root))
    assert resize(disk, 65536)
    dvc(root, "repro")
    again = journal(open_project(root)) - before
    assert finished and not {item for item in again if item[1] in finished}
    assert outputs(root) == outputs(whole)
    assert verify(open_project(root)).ok
