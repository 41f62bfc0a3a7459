"""`mmx doctor` finds what is wrong with the environment and the machine, and names the remedy."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import simulated
from mmx.cli.app import app
from mmx.doctor import Finding, examine
from mmx.doctor import machine as machine_module
from mmx.doctor.disks import disks
from mmx.doctor.environment import environment
from mmx.doctor.machine import machine
from mmx.doctor.material import material
from mmx.engine.store import Store
from mmx.project import Project, open_project

pytestmark = pytest.mark.slow
Texts = Callable[..., None]


def by_subject(findings: object) -> dict[str, Finding]:
    assert not isinstance(findings, dict)
    return {each.subject: each for each in findings}  # type: ignore[attr-defined]


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> Texts:
    """Let files of the kernel have other contents."""

    def given(**contents: str) -> None:
        def text(path: str) -> str:
            return next((t for name, t in contents.items() if path.endswith(f"/{name}")), "")

        monkeypatch.setattr(machine_module, "_text", lambda path: text(path.replace(".", "_")))

    return given


def test_a_sound_project_is_told_so_with_exit_code_0(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.layout.root)
    done = CliRunner().invoke(app, ["doctor", "--json"])
    told = json.loads(done.output)
    assert done.exit_code == 0 and told["ok"]
    assert {each["state"] for each in told["findings"]} <= {"ok", "note"}
    assert all(each["remedy"] for each in told["findings"] if each["state"] != "ok")
    shown = CliRunner().invoke(app, ["doctor"]).output
    assert "processor" in shown and "0 wrong" in shown


def test_other_versions_are_wrong_with_exit_code_1(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.layout.root)
    tools = project.layout.tools
    lines = [line for line in tools.read_text().splitlines() if not line.startswith("av:")]
    tools.write_text("\n".join([*lines, "av: 0.0.1", ""]))
    done = CliRunner().invoke(app, ["doctor", "--json"])
    wrong = [each for each in json.loads(done.output)["findings"] if each["state"] == "wrong"]
    assert done.exit_code == 1 and [each["subject"] for each in wrong] == ["versions"]
    assert "says av 0.0.1" in wrong[0]["found"] and "make install" in wrong[0]["remedy"]


def test_a_folder_without_dvc_and_git_is_named(project: Project) -> None:
    for name in (".git", ".dvc"):
        shutil.rmtree(project.layout.root / name)
    found = by_subject(environment(project))
    assert (found["git"].state, found["DVC"].state) == ("note", "wrong")
    assert "git init" in found["git"].remedy and "dvc init" in found["DVC"].remedy


def test_what_git_would_add_is_wrong(project: Project) -> None:
    (project.layout.root / ".gitignore").unlink()
    found = by_subject(environment(project))["git"]
    assert found.state == "wrong" and ".gitignore" in found.found and "printf" in found.remedy


def test_a_gpu_that_is_asked_for_and_is_not_there_is_wrong(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_module, "count_gpus", lambda: 0)
    monkeypatch.setenv("MMX_RUN_DEVICE", "cuda")
    found = by_subject(machine(open_project(project.layout.root)))["GPU"]
    assert found.state == "wrong" and "run.device" in found.remedy
    monkeypatch.setattr(machine_module, "count_gpus", lambda: 2)
    assert "2 that PyTorch" in by_subject(machine(project))["GPU"].found


@pytest.mark.parametrize(
    ("kind", "said", "state"),
    [
        ("AuthenticAMD avx512", "25 times", "ok"),
        ("AuthenticAMD avx2", "8 times", "ok"),
        ("GenuineIntel avx512", "has not been measured", "ok"),
        ("AuthenticAMD sse4", "lower without AVX2", "note"),
        ("aarch64 basic", "lower without AVX2", "note"),
    ],
)
def test_a_processor_is_told_with_what_it_means_for_flow(
    kind: str, said: str, state: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_module, "processor_kind", lambda: kind)
    found = by_subject(machine(project))["processor"]
    assert said in found.found and found.state == state


def test_limits_of_a_container_are_noted(
    project: Project, texts: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMX_RUN_WORKERS", "8")
    monkeypatch.setattr("mmx.doctor.machine.resource.getrlimit", lambda _: (256, 4096))
    texts(cpu_max="200000 100000", memory_max=str(4 << 30), memory_current=str(1 << 30))
    found = by_subject(machine(open_project(project.layout.root)))
    assert found["workers"].remedy == "set run.workers to 2"
    assert "3.0 GiB" in found["memory"].found and "set run.workers to 3" in found["memory"].remedy
    assert found["open files"].remedy == "`ulimit -n 4096` before a run"


def test_two_file_systems_and_no_links_are_noted(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Path("/dev/shm") / f"mmx-doctor-{os.getpid()}"
    other.mkdir()
    try:
        if other.stat().st_dev == project.layout.root.stat().st_dev:
            pytest.skip("there is one file system only")
        found = by_subject(disks(replace(project, store=Store(other))))
    finally:
        shutil.rmtree(other)
    assert found["disks"].state == found["links"].state == "note"
    assert "MMX_STORE" in found["disks"].remedy


def test_little_space_is_wrong_and_what_is_to_come_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulated.set_param(project.layout.root, "flow.pairs_per_clip", 0)
    shutil.rmtree(project.layout.flow)
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(
        "mmx.doctor.disks.shutil.disk_usage", lambda path: usage._replace(free=10**8)
    )
    found = by_subject(disks(open_project(project.layout.root)))["space"]
    assert found.state == "wrong" and found.found.startswith("0.1 GB are free; what is not made")


def test_links_that_lead_nowhere_and_missing_weights_are_wrong(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert by_subject(material(project))["manifest"].state == "note"
    layout = project.layout
    layout.manifest.write_text("trailer_id,title,year,genres,video,sha256\n")
    (layout.videos / "gone.mp4").symlink_to(tmp_path / "gone.mp4")
    monkeypatch.setenv("MMX_WEIGHTS", str(tmp_path / "weights"))
    entries = {"senet154": {"reads": "clips"}}
    simulated.set_param(layout.root, "embed.experts", entries)
    found = by_subject(material(open_project(layout.root)))
    assert found["videos"].state == found["weights"].state == "wrong"
    assert "gone.mp4" in found["videos"].found and "weights fetch" in found["weights"].remedy


def test_nothing_is_left_behind(project: Project) -> None:
    before = sorted(project.store.root.rglob("*"))
    examine(project)
    assert sorted(project.store.root.rglob("*")) == before
