"""Errors of the user: one sentence with the remedy, an exit code, and no traceback."""

import importlib
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mmx
from mmx.cli import main
from mmx.engine.errors import StepFailedError, StoreBusyError
from mmx.errors import UserError
from mmx.params import ParamsError
from mmx.paramsfile import NO_PROJECT
from mmx.project import open_project

pytestmark = pytest.mark.slow

TOP = Path(__file__).parents[2]
Damage = Callable[[Path], None]

NOT_WRITTEN = (
    "is damaged, or is not what its step wrote: `mmx repair` removes it, `dvc repro` makes it again"
)
STEPS = (
    "audio, scenes, flow, embed@lite_appearance, embed@lite_audio, embed@lite_scene, stills, "
    "embed@lite_motion"
)
COLUMNS = "trailer_id, title, genres, video, sha256"
VIDEO = "predict data/videos/t00001.mp4"
FIRST = "`mmx init --videos FOLDER --labels TABLE`, then"
INIT = "trailers.csv is not there yet: `mmx init --videos FOLDER --labels TABLE` makes it"
PINS = "take it from your last commit, or delete it to pin anew"


@dataclass(frozen=True)
class Case:
    """One wrong use: what is done to the project, the command, and all that is said."""

    arguments: str
    said: str
    damage: Damage = lambda root: None
    exit_code: int = 1


def write(name: str, content: bytes | str) -> Damage:
    """Replace a file."""

    def damage(root: Path) -> None:
        remove(name)(root)
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content.encode() if isinstance(content, str) else content)

    return damage


def remove(name: str) -> Damage:
    """Remove a file or a folder."""

    def damage(root: Path) -> None:
        path = root / name
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)

    return damage


def folder(name: str) -> Damage:
    """Put a folder where a file should be."""

    def damage(root: Path) -> None:
        remove(name)(root)
        (root / name).mkdir()

    return damage


def truncate(name: str) -> Damage:
    """Cut a file in half, without touching other names of its bytes."""

    def damage(root: Path) -> None:
        content = (root / name).read_bytes()
        write(name, content[: len(content) // 2])(root)

    return damage


def other_table(name: str) -> Damage:
    """Replace a table by a valid Parquet file with other columns."""

    def damage(root: Path) -> None:
        remove(name)(root)
        pq.write_table(pa.table({"other": [1]}), root / name)

    return damage


def append(name: str, text: str) -> Damage:
    """Add lines to a file."""
    return lambda root: write(name, (root / name).read_text() + text)(root)


def receipts(root: Path) -> str:
    """Return a file of receipts, by name."""
    return min((root / "data/clips/_receipts").iterdir()).relative_to(root).as_posix()


CASES = [
    Case(
        "status",
        NO_PROJECT.format("ROOT/params.yaml"),
        remove("params.yaml"),
    ),
    Case("status", "ROOT/params.yaml is not UTF-8: line 1: byte 0", write("params.yaml", b"\xff")),
    Case(
        "plan",
        "ROOT/params.yaml is not YAML: line 1: expected the node content, but found '<stream end>'",
        write("params.yaml", "a: ["),
    ),
    Case(
        "experts",
        "ROOT/params.yaml cannot be read: Is a directory",
        folder("params.yaml"),
    ),
    Case(
        "verify",
        "ROOT/params.yaml is not YAML: line LAST: the key 'profile' appears twice",
        append("params.yaml", "\nprofile: lite\n"),
    ),
    Case(
        "retry",
        "ROOT/params.yaml is not YAML: line 1: month must be in 1..12",
        write("params.yaml", "when: 2024-13-45"),
    ),
    Case(
        "prune",
        "ROOT/params.yaml: line 1: the file: it should be keys with their values",
        write("params.yaml", ""),
    ),
    Case(
        "repair",
        "ROOT/params.yaml: line LAST: extra: there is no such parameter",
        append("params.yaml", "\nextra: 1\n"),
    ),
    Case(
        "status",
        INIT,
        remove("data/trailers.csv"),
    ),
    Case(
        "accept t00001",
        INIT,
        remove("data/trailers.csv"),
    ),
    Case("accept nobody", "trailers.csv has no trailer 'nobody': see its column trailer_id"),
    Case("accept t0001", "trailers.csv has no trailer 't0001', did you mean 't00001'?"),
    Case(
        "accept -_bcdefghiJ", "trailers.csv has no trailer '-_bcdefghiJ': see its column trailer_id"
    ),
    Case(
        "plan",
        "trailers.csv cannot be read, byte 0 is not UTF-8 (line 1): save it as CSV in UTF-8",
        write("data/trailers.csv", b"\xff"),
    ),
    Case(
        "status",
        f"trailers.csv has no column {COLUMNS}; it has a, b",
        write("data/trailers.csv", "a,b\n"),
    ),
    Case("status", "trailers.csv cannot be read: Is a directory", folder("data/trailers.csv")),
    Case(
        "adopt flow",
        "data/sources.parquet is not there yet: `dvc repro ingest` makes it",
        remove("data/sources.parquet"),
    ),
    Case("prune", f"data/sources.parquet {NOT_WRITTEN}", truncate("data/sources.parquet")),
    Case(
        "trace t00001", f"data/sources.parquet {NOT_WRITTEN}", other_table("data/sources.parquet")
    ),
    Case("adopt flow", f"data/sources.parquet {NOT_WRITTEN}", folder("data/sources.parquet")),
    Case("status", f"RECEIPTS {NOT_WRITTEN}", lambda root: truncate(receipts(root))(root)),
    Case("plan", f"RECEIPTS {NOT_WRITTEN}", lambda root: write(receipts(root), "[]\n")(root)),
    Case("retry scenes", f"RECEIPTS {NOT_WRITTEN}", lambda root: folder(receipts(root))(root)),
    Case(
        "audit",
        "receipts.parquet of the feature store is damaged: `mmx repair` removes it, "
        "`dvc repro` makes it again",
        truncate("data/features/receipts.parquet"),
    ),
    Case(
        "publish out",
        "the feature store is not valid: receipts.parquet: file: expected present, found missing",
        remove("data/features/receipts.parquet"),
    ),
    Case(
        "publish out",
        "data/trailers.parquet is not there yet: `dvc repro ingest` makes it",
        remove("data/trailers.parquet"),
    ),
    Case("publish data", "data is not empty: name a new folder"),
    Case("publish out", "out is not empty: name a new folder", write("out", "a file")),
    Case(
        "similar t00001",
        "data/trailer_embeddings.parquet is not there yet: `dvc repro` makes it",
        remove("data/trailer_embeddings.parquet"),
    ),
    Case(
        "similar t00001",
        f"data/trailer_embeddings.parquet {NOT_WRITTEN}",
        other_table("data/trailer_embeddings.parquet"),
    ),
    Case(
        "similar t00001", f"data/trailers.parquet {NOT_WRITTEN}", truncate("data/trailers.parquet")
    ),
    Case(
        "similar nobody",
        "nobody has no embedding: it is not in the collection, or has too few clips",
    ),
    Case(
        VIDEO,
        "models/coarse is not there yet: `dvc repro train` makes it",
    ),
    Case(
        VIDEO,
        f"models/coarse {NOT_WRITTEN}",
        write("models/coarse/model.json", "[]"),
    ),
    Case("trace nobody", "trailers.csv has no trailer 'nobody': see its column trailer_id"),
    Case(
        "trace t00009",
        "trailers.csv has no trailer 't00009', did you mean 't00004'?",
    ),
    Case(
        "trace nobody",
        "nobody has no rows: see `mmx status` for the state of its steps",
        remove("data/trailers.csv"),
    ),
    Case(
        "publish out",
        "data/features is not there yet: `dvc repro features` makes it",
        remove("data/features"),
    ),
    Case("trace t00001 --clip 99", "t00001 has no clip 99"),
    Case("retry nothing", f"there is no step 'nothing'; there are {STEPS}"),
    Case("adopt nothing", f"there is no step 'nothing'; there are {STEPS}"),
    Case(
        "tools",
        "mmx/tools.yaml is missing: run `mmx tools --write`",
        remove("mmx/tools.yaml"),
    ),
    Case(
        "tools",
        "mmx/tools.yaml does not name versions: run `mmx tools --write`",
        write("mmx/tools.yaml", "[]"),
    ),
    Case(
        "weights verify",
        f"weights.lock.yaml is not a list of pinned weights: ROOT/weights.lock.yaml is not UTF-8: "
        f"line 1: byte 0; {PINS}",
        write("weights.lock.yaml", b"\xff"),
    ),
    Case(
        "weights verify",
        "weights.lock.yaml is not a list of pinned weights: "
        f"'list' object has no attribute 'items'; {PINS}",
        write("weights.lock.yaml", "- a"),
    ),
    Case(
        "init --videos none --labels none.csv",
        "none is not a folder: name the one that your videos are in",
    ),
    Case("init --videos data --labels none.csv", "none.csv does not exist"),
    Case(
        "init --videos data --labels one.csv",
        "no row of one.csv is accepted: row 2, there is no video 'none.mp4'",
        write("one.csv", "title,genres,video\nA film,Drama,none.mp4\n"),
    ),
    Case("init --videos data --labels data", "data cannot be read: Is a directory"),
    Case("sample data", "data is there already and not empty: name a new folder"),
    Case(
        "prune",
        "the item store cannot be written: File exists",
        write(".mmx", ""),
    ),
]


def last_line(path: Path) -> int:
    """Return the number of lines of a file; 0 where it is no text."""
    return len(path.read_bytes().splitlines()) if path.is_file() else 0


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.arguments}: {case.said[:40]}")
def test_a_wrong_use_is_one_sentence(
    case: Case, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shard = receipts(root)
    case.damage(root)
    monkeypatch.setattr(sys, "argv", ["mmx", *case.arguments.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err
    said = case.said.replace("ROOT", str(root)).replace("RECEIPTS", shard)
    said = said.replace("LAST", str(last_line(root / "params.yaml")))
    # Before it may stand how far the command came.
    assert told[told.index("error: ") :] == f"error: {said}\n"
    assert ended.value.code == case.exit_code and "Traceback" not in told


@pytest.mark.parametrize(
    "arguments", ["frobnicate", "status --frobnicate", "adopt flow --sample 0", "profile huge"]
)
def test_wrong_usage_ends_with_two(
    arguments: str, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["mmx", *arguments.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err
    assert ended.value.code == 2 and said.startswith("error: ") and said.count("\n") == 1
    assert re.search(r"see `mmx.* --help`$", said, re.IGNORECASE)


def test_a_store_in_use_has_an_exit_code_of_its_own(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["mmx", "prune"])
    with open_project(root).store.locked("flow"), pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 5
    assert "another run is using the item store: flow, process " in capsys.readouterr().err


def exceptions() -> Iterator[type[Exception]]:
    """Yield every class of exception that mmx defines."""
    for module in pkgutil.walk_packages(mmx.__path__, "mmx."):
        for value in vars(importlib.import_module(module.name)).values():
            own = isinstance(value, type) and value.__module__ == module.name
            if own and issubclass(value, Exception):
                yield value


def test_every_error_of_mmx_is_the_users_and_its_exit_code_is_documented() -> None:
    text = (TOP / "docs" / "commands.md").read_text().partition("## Exit codes")[2]
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    found = set(exceptions())
    assert len(found) > 23
    codes = {}
    for kind in found:
        assert issubclass(kind, UserError), kind
        assert kind.__doc__ and kind.exit_code in documented, kind
        if kind.exit_code != 1:
            codes[kind] = kind.exit_code
    assert codes.items() >= {StepFailedError: 3, StoreBusyError: 5}.items()
    assert ParamsError.exit_code == 1


@pytest.mark.parametrize("module", ["mmx.errors", "mmx.training"])
def test_an_error_costs_a_stage_no_heavy_import(module: str, tmp_path: Path) -> None:
    code = (
        f"import sys, {module}; print(*{{'numpy', 'pyarrow', 'torch', 'yaml'}} & {{*sys.modules}})"
    )
    done = python(tmp_path, "-c", code)
    assert (done.returncode, done.stdout) == (0, "\n")


def python(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, with the project's own modules."""
    command = [sys.executable, *arguments]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(TOP), "HOME": str(root)}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)


def test_a_stage_ends_in_a_sentence(tmp_path: Path) -> None:
    done = python(tmp_path, "-m", "stages.run", "scenes")
    said = NO_PROJECT.format(tmp_path / "params.yaml")
    assert (done.returncode, done.stderr) == (1, f"error: {said}\n")


def test_a_failed_step_ends_in_a_sentence_and_its_own_exit_code(root: Path) -> None:
    (root / "data" / "videos" / "t00001.mp4").unlink()
    for path in (root / "data" / "flow").glob("*.flow"):
        path.unlink()
    done = python(root, "-m", "stages.run", "embed@lite_motion")
    assert done.returncode == 3 and "Traceback" not in done.stderr
    said = (
        r"^error: embed@lite_motion: 5 items could not be computed, t00000 first: "
        r"\S+\.flow is missing; "
    )
    assert re.search(said, done.stderr, re.MULTILINE), done.stderr


def test_dvc_shows_the_sentence_of_a_stage_and_no_trace(tmp_path: Path) -> None:
    command = f"{sys.executable} -m stages.run scenes"
    (tmp_path / "dvc.yaml").write_text(f"stages:\n  scenes:\n    cmd: {command}\n")
    assert python(tmp_path, "-m", "dvc", "init", "--no-scm", "--quiet").returncode == 0
    done = python(tmp_path, "-m", "dvc", "repro")
    told = done.stdout + done.stderr
    assert done.returncode and f"error: {tmp_path}/params.yaml does not exist" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            "similar t00001",
            f"data/trailer_embeddings.parquet is not there yet: {FIRST} `dvc repro`",
        ),
        (
            "predict t00001.mp4",
            f"models/coarse is not there yet: {FIRST} `dvc repro train` make it",
        ),
        (
            "status",
            INIT,
        ),
    ],
)
def test_a_missing_output_is_named_from_any_folder_of_a_project(
    command: str,
    said: str,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for path in ("data/trailers.csv", "data/trailer_embeddings.parquet"):
        (root / path).unlink()
    monkeypatch.chdir(root / "data" / "videos")
    monkeypatch.setattr(sys, "argv", ["mmx", *command.split()])
    with pytest.raises(SystemExit):
        main()
    assert f"error: {said}" in capsys.readouterr().err


def test_verify_says_where_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(TOP / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["mmx", "verify"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = "nothing is made yet, so nothing was checked: run `dvc repro`\n"
    assert ended.value.code == 1 and capsys.readouterr().out == said


@pytest.mark.parametrize(
    "change",
    [
        {"fine": [[1.0, float("nan")]] * 5},
        {"fine": [[1.0]] + [[1.0, 2.0]] * 4},
        {"fine": [None] + [[1.0, 2.0]] * 4},
        {"fine": ["x"] * 5},
        {"trailer_id": ["t00001"] * 5},
        {"trailer_id": ["t00001", "a", "b", "c", "d"]},
    ],
)
def test_embeddings_that_are_none_are_one_sentence(
    change: dict[str, object],
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = root / "data/trailer_embeddings.parquet"
    columns = pq.read_table(path).to_pydict() | change
    pq.write_table(pa.table(columns), path)
    monkeypatch.setattr(sys, "argv", ["mmx", "similar", "t00001"])
    with pytest.raises(SystemExit):
        main()
    said = "error: data/trailer_embeddings.parquet is not what its step wrote for these trailers: "
    assert said in capsys.readouterr().err
