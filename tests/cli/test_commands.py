"""Every command is documented, has an example, and says plainly what is wrong."""

import errno
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main
import yaml
from typer.testing import CliRunner

from mmx.cli.app import app
from mmx.cli.console import cell, print_json
from mmx.errors import COMMAND_FOR, MANIFEST, report_errors
from mmx.params import ParamsError

TOP = Path(__file__).parents[2]
INTRODUCTION = """\
Generated from the help texts of the commands, which `mmx --help` and `mmx COMMAND --help` print.
`python -m mmx` is the same as `mmx`; `mmx --version` prints the version. Commands are run in any
folder of a project and use its code. With `--json` they print JSON instead of a table; an error is
a sentence on stderr all the same. Colours are left out where output is no terminal, and where
NO_COLOR is set.
"""
EXIT_CODES = """\
## The cost gate

A stage of `dvc repro` stops (exit code 4) before it spends more than `run.ask_above` hours
(params.yaml) on recomputing results that are stale only because code or tools changed. It names the
changed files and the cost. `mmx adopt` keeps the results if a recomputed sample is bit-equal;
`mmx renew` allows the recomputation.

## Exit codes

A command or stage that does not end with exit code 0 prints the reason in one sentence on stderr.

| code | meaning |
|---|---|
| 0 | done |
| 1 | an error that you can correct; or `doctor`, `verify` or `audit` found something |
| 2 | the command line is wrong |
| 3 | a step failed, or has more faulty items than run.max_failed allows; the others are kept |
| 4 | stopped before computing: results are stale only because of code or tools |
| 5 | another run is using the item store |
| 128 + N | ended by signal N: 130 by Ctrl-C, 143 by SIGTERM; finished items are kept |

A traceback is a bug of mmx: please report it.
"""
GROUP = typer.main.get_command(app)


def commands(group: Any = GROUP, prefix: str = "") -> dict[str, Any]:
    """Return every command by its full name."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        found |= commands(command, f"{name} ") if inner else {f"{prefix}{name}": command}
    return found


def reference() -> str:
    """Return docs/commands.md as it should be."""
    lines = ["# Commands", "", INTRODUCTION]
    for name, command in commands().items():
        context = typer.Context(command, info_name=f"mmx {name}")
        lines += [f"## mmx {name}", "", command.help.strip(), ""]
        for parameter in command.get_params(context):
            if parameter.name == "help":
                continue
            option = parameter.param_type_name == "option"
            shown = ", ".join(parameter.opts) if option else parameter.name.rstrip("_").upper()
            lines.append(f"- `{shown}`: {parameter.help or ''}".rstrip())
        lines += ["", f"`{command.epilog.removeprefix('Example: ')}`", ""]
    return "\n".join([*lines, EXIT_CODES])


@pytest.mark.parametrize("name", commands())
def test_a_command_has_help_and_an_example_that_names_it(name: str) -> None:
    command = commands()[name]
    assert command.help and command.epilog.startswith(f"Example: mmx {name}")
    done = CliRunner().invoke(app, [*name.split(), "--help"])
    assert done.exit_code == 0 and "Example" in done.output


def test_every_command_but_gits_own_driver_has_json() -> None:
    has = {n for n, c in commands().items() if "json" in {p.name for p in c.params}}
    assert commands().keys() - has == {"merge"}


def test_help_has_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in CliRunner().invoke(app, ["--help"], color=True).output
    monkeypatch.setenv("NO_COLOR", "1")
    coloured = re.findall(
        r"\x1b\[([\d;]*)m", CliRunner().invoke(app, ["--help"], color=True).output
    )
    codes = {code for each in coloured for code in each.split(";")}
    assert not {code for code in codes if code[:1] in ("3", "4") and len(code) == 2}


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    assert CliRunner().invoke(app, ["--version"]).output == f"mmx {project['version']}\n"


@pytest.mark.parametrize("asked", ["--help", "--version", "verify --help", "weights list --help"])
def test_help_answers_without_what_only_work_needs(asked: str) -> None:
    script = (
        "import sys; from mmx.cli.app import app; app(sys.argv[1:], standalone_mode=False);"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *asked.split()], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "typer" in loaded
    assert not loaded & {"av", "cv2", "dvc", "numpy", "pandas", "pyarrow", "torch"}


def test_the_reference_is_what_the_commands_say() -> None:
    path = TOP / "docs" / "commands.md"
    assert path.read_text() == reference(), "run: python tests/cli/test_commands.py"


def test_the_readme_names_commands_that_exist() -> None:
    text = (TOP / "README.md").read_text()
    named = {match.split()[0] for match in re.findall(r"`mmx ([a-z][a-z ]*)", text)}
    known = {name.split()[0] for name in commands()}
    assert named <= known and len(named) > 10


def test_outside_a_project_the_way_out_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended, report_errors():
        CliRunner().invoke(app, ["status"], catch_exceptions=False)
    assert ended.value.code == 1
    assert "run mmx in a project (a clone of mmx)" in capsys.readouterr().err


def test_a_fault_of_the_machine_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, report_errors():
        raise OSError(errno.EROFS, "Read-only file system", "data/clips")
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert told.startswith("error: the file system is read-only (data/clips)")
    assert told.count("\n") == 1


def test_a_bug_keeps_its_trace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ZeroDivisionError), report_errors():
        _ = 1 / 0


def test_an_expected_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), report_errors():
        raise ParamsError("no such key")
    assert capsys.readouterr().err == "error: no such key\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("PATH/data/features/experts.parquet",),
            "data/features is not there yet: `dvc repro features`",
        ),
        (
            (2, "No such file", "PATH/models/fine/model.json"),
            "models/fine is not there yet: `dvc repro finetune`",
        ),
        (
            ("Failed to open local file 'PATH/data/clips/c00.parquet'",),
            "data/clips is not there yet: `dvc repro scenes`",
        ),
    ],
)
def test_what_is_asked_for_too_early_is_named_with_what_makes_it(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: tuple[int | str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / MANIFEST).parent.mkdir()
    (tmp_path / MANIFEST).touch()
    here = [
        part.replace("PATH", str(tmp_path)) if isinstance(part, str) else part for part in arguments
    ]
    with pytest.raises(SystemExit), report_errors():
        raise FileNotFoundError(*here)
    assert capsys.readouterr().err == f"error: {said} makes it\n"


@pytest.mark.parametrize("path", ["/somewhere/else", "/elsewhere/data/clips/c00.parquet"])
def test_any_other_missing_file_keeps_its_trace(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError), report_errors():
        raise FileNotFoundError(path)


def test_what_makes_a_missing_output_is_a_stage() -> None:
    stages = yaml.safe_load((TOP / "dvc.yaml").read_text())["stages"]
    assert COMMAND_FOR[MANIFEST].startswith("mmx init ")
    commands = [command.split() for path, command in COMMAND_FOR.items() if path != MANIFEST]
    assert {words[-1] for words in commands} - {"repro"} <= stages.keys()


def test_control_characters_are_shown_and_not_obeyed() -> None:
    assert cell("red\x1b[31m") == "red\\x1b[31m"
    assert (cell(None), cell(0.123456), cell("é|影")) == ("-", "0.1235", "é|影")


def test_json_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"path": Path("a") / "b", "many": (1, 2)})
    assert json.loads(capsys.readouterr().out) == {"path": "a/b", "many": [1, 2]}


def test_experts_are_listed_for_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(TOP)
    done = CliRunner().invoke(app, ["experts", "--json"], catch_exceptions=False)
    used = {row["expert"] for row in json.loads(done.output) if row["used"]}
    assert used == {"lite_appearance", "lite_scene", "lite_motion", "lite_audio"}


if __name__ == "__main__":
    (TOP / "docs" / "commands.md").write_text(reference())
