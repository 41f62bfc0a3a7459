"""`mmx forget` and `mmx verify --forgotten` as they are typed."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import simulated
from mmx.cli.app import app
from mmx.forget.run import ForgetError


def mmx(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


def test_a_trailer_is_taken_out_and_the_proof_is_repeated(root: Path) -> None:
    simulated.write_manifest(root)
    said = mmx("forget", "t00001", "--reason", "asked")
    assert "0 with anything" in said and "certificate: " in said
    assert "0 files have something of 1 trailers" in mmx("verify", "--forgotten")
    (root / "data" / "list.csv").write_text("t00001,A film\n")
    assert "list.csv: an id in its bytes" in mmx("verify", "--forgotten", code=1)
    found = json.loads(mmx("verify", "--forgotten", "--json", code=1))
    assert not found["ok"] and found["found"][0]["place"] == "work tree"


def test_what_is_asked_for_wrongly_is_one_sentence(root: Path) -> None:
    with pytest.raises(ForgetError, match="is the trailer_id right"):
        mmx("forget", "nobody", "--reason", "asked")
    assert "0 trailers" in mmx("verify", "--forgotten")
    assert root.exists()
