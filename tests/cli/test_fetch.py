"""`mmx fetch` as it is typed."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner
from video_server import serving

from mmx.cli.app import app

TOP = Path(__file__).parents[2]


def mmx(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_list_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    params = (TOP / "params.yaml").read_text().replace("interval_s: 2.0", "interval_s: 0.0")
    (tmp_path / "params.yaml").write_text(params)
    shutil.copy(TOP / ".gitignore", tmp_path)
    with serving() as host:
        rows = [f"A,1999,Drama,{host.url('ok/a.mp4')}", f"B,1980,Drama,{host.url('gone/b.mp4')}"]
        rows.append("C,1980,Drama,nowhere")
        (tmp_path / "list.csv").write_text("\n".join(["title,year,genres,url", *rows]))
        said = mmx("fetch", "list.csv", "--dry-run")
        assert "2 videos to ask for" in said and "row 4, 'C', rejected: url" in said
        said = mmx("fetch", "list.csv")
        assert "not there, by year: 1980 1" in said and "2 attempts, 1 trailers added" in said
        found = json.loads(mmx("fetch", "list.csv", "--recheck", "--json"))
        assert found["outcomes"] == {"there": 1, "gone": 1} and found["attempts"] == 2
