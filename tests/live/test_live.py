"""The live view: what it reads of a run, and what its server answers, and to whom."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import simulated
from mmx.cli.app import app
from mmx.engine.errors import StepFailedError
from mmx.errors import report_errors
from mmx.live import Watch, serve
from mmx.live.server import PortError
from mmx.live.state import curves
from mmx.live.tail import Tail
from mmx.pipeline.registry import find_trailer_step
from mmx.project import Project, open_project

pytestmark = pytest.mark.slow


def again(project: Project, step: str, **parameters: float) -> Project:
    """Run a step again with other parameters."""
    for key, value in parameters.items():
        simulated.set_param(project.layout.root, key.replace("__", "."), value)
    project = open_project(project.layout.root)
    find_trailer_step(step, project.params).run(project)
    return project


def test_the_last_run_of_every_step_is_seen(project: Project) -> None:
    watch = Watch(project)
    before = {each.step: each for each in watch.look().steps}
    assert before["scenes"].state == "done" and before["train"].state == "waiting"
    total = before["scenes"].total
    assert (before["scenes"].computed, before["scenes"].reused) == (total, 0) != (0, 0)
    again(project, "scenes")
    scenes = {each.step: each for each in watch.look().steps}["scenes"]
    assert (scenes.reused, scenes.computed, scenes.state) == (total, 0, "done")
    assert not [each for each in before if each.startswith("ablate")]


def test_a_run_that_goes_on_has_a_rate_and_time_left(project: Project) -> None:
    step, store = "flow", project.store
    at = "2026-01-01T00:00:00Z"
    store.note_run({"step": step, "event": "start", "at": at, "total": 10, "reused": 2})
    store.note(step, {"item": "a", "fingerprint": "0" * 64, "finished": "2026-01-01T00:00:09Z"})
    (project.store.root / "journal" / f"{step}.jsonl").write_text(
        json.dumps({"item": "a", "finished": "2026-01-01T00:00:09Z", "fault": False}) + "\n"
    )
    stopped = {each.step: each for each in Watch(project).look().steps}[step]
    assert stopped.state == "stopped" and stopped.left is None
    with store.locked(step):
        found = Watch(project).look()
    view = {each.step: each for each in found.steps}[step]
    assert view.state == "running" and view.computed == 1
    assert view.left == pytest.approx(7 * view.seconds, rel=0.01)
    assert found.running == [f"flow, process {os.getpid()} on {os.uname().nodename}"]


def test_failures_and_faults_are_told_with_their_reasons(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.layout.videos / "t00002.mp4").unlink()
    with pytest.raises(StepFailedError):
        again(project, "audio", audio__rate=8000)
    found = Watch(project).look()
    assert [each.step for each in found.failures] == ["audio"]
    assert found.failures[0].item == "t00002" and "t00002.mp4" in found.failures[0].reason


def test_curves_are_thinned_and_a_cut_off_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "train/plots/metrics/train_loss.tsv"
    path.parent.mkdir(parents=True)
    path.write_text("step\ttrain_loss\n1\t0.5\n2\t0.25\n3\t")
    assert curves(tmp_path) == {"train": {"train_loss": [[1, 0.5], [2, 0.25]]}}
    path.write_text("step\tx\n" + "".join(f"{n}\t1\n" for n in range(2000)))
    assert len(curves(tmp_path)["train"]["train_loss"]) == 500


def test_a_journal_is_read_on_where_it_ended(tmp_path: Path) -> None:
    path, tail = tmp_path / "a.jsonl", Tail(tmp_path / "a.jsonl")
    assert tail.look() == []
    path.write_text('{"a": 1}\n{"a": 2')
    assert tail.look() == [{"a": 1}]
    with path.open("a") as file:
        file.write('}\nnothing\n[1]\n{"a": 3}\n')
    assert tail.look() == [{"a": 1}, {"a": 2}, {"a": 3}]
    path.unlink()
    path.write_text('{"b": 1}\n')
    assert tail.look() == [{"b": 1}]
    path.unlink()
    assert tail.look() == []


@pytest.fixture
def port(project: Project) -> Iterator[int]:
    """The port of a server of the project's live view."""
    with serve(project) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def ask(port: int, path: str, method: str = "GET", host: str = "") -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request(method, path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    return answer.status, answer.headers.get("Content-Type", ""), answer.read()


def test_the_server_gives_page_data_and_report(port: int, project: Project) -> None:
    status, kind, page = ask(port, "/")
    assert (status, kind) == (200, "text/html; charset=utf-8") and b"/state.json" in page
    state = json.loads(ask(port, "/state.json")[2])
    assert {each["step"] for each in state["steps"]} >= {"scenes", "flow", "train", "evaluate"}
    assert state["report"] == 0 and ask(port, "/report")[0] == 404
    project.layout.page.parent.mkdir(exist_ok=True)
    project.layout.page.write_text("<p>the report")
    assert json.loads(ask(port, "/state.json")[2])["report"] > 0
    assert ask(port, "/report?1")[2] == b"<p>the report" and ask(port, "/", "HEAD")[2] == b""


@pytest.mark.parametrize("path", ["/../params.yaml", "/params.yaml", "//etc/passwd", "/report/x"])
def test_the_server_gives_nothing_else(path: str, port: int) -> None:
    assert ask(port, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_server_takes_nothing(method: str, port: int) -> None:
    assert ask(port, "/", method)[0] == 501


@pytest.mark.parametrize("host", ["films.example:80", "127.0.0.1.example", "evil"])
def test_a_page_elsewhere_cannot_read_it(host: str, port: int) -> None:
    assert ask(port, "/state.json", host=host)[0] == 421
    assert ask(port, "/state.json", host=f"localhost:{port}")[0] == 200


def test_the_page_asks_for_nothing_from_elsewhere() -> None:
    page = (Path(simulated.ROOT) / "mmx/live/page.html").read_text()
    assert "http://www.w3.org/2000/svg" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_a_port_that_is_taken_is_one_sentence(port: int, project: Project) -> None:
    with pytest.raises(PortError, match=f"^port {port} is not to be had"):
        serve(project, port)


def test_ctrl_c_ends_the_server_and_nothing_else(project: Project) -> None:
    command = [sys.executable, "-m", "mmx", "report", "--serve"]
    environment = {**os.environ, "PYTHONPATH": str(simulated.ROOT)}
    with subprocess.Popen(
        command, cwd=project.layout.root, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as program:  # fmt: skip
        assert program.stdout and program.stdout.readline().startswith("http://127.0.0.1:")
        program.send_signal(signal.SIGINT)
        assert program.communicate() == ("", "") and program.returncode == 0


def test_without_a_report_the_command_says_what_makes_it(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project.layout.root)
    with pytest.raises(SystemExit), report_errors():
        CliRunner().invoke(app, ["report"], catch_exceptions=False)
    assert "reports/index.html is not there yet" in capsys.readouterr().err
    project.layout.page.parent.mkdir(exist_ok=True)
    project.layout.page.touch()
    assert CliRunner().invoke(app, ["report"]).output == f"{project.layout.page}\n"
