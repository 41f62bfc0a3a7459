"""What mmx says when something is wrong, word for word: tests/cli/wrong_use.txt.

The file is there to be read: as help, by whoever changes a message. After a change

    MMX_WRITE_WRONG_USE=1 pytest tests/cli/test_wrong_use.py

writes it again, and git shows what has changed.
"""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mmx.cli import main

TOP = Path(__file__).parents[2]
GOLDEN = Path(__file__).with_name("wrong_use.txt")
WRITE = bool(os.environ.get("MMX_WRITE_WRONG_USE"))
INTRODUCTION = """\
What mmx says when something is wrong: commands, and all that they print. Every message says what is
wrong and what helps. Exit code 1, unless another is named.
"""
GOOD = "title,year,genres,video\nAlien,1979,Horror,alien.mp4\n"
Setup = Callable[[Path], None]


def empty(root: Path) -> None:
    """Leave nothing."""
    for path in root.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def clone(root: Path) -> None:
    """Leave what a fresh clone has, and a folder with a video and tables of labels."""
    empty(root)
    for name in ("params.yaml", "dvc.yaml", ".gitignore", "mmx/tools.yaml"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(TOP / name, root / name)
    (root / "films").mkdir()
    (root / "films/alien.mp4").write_bytes(b"a video")
    tables: dict[str, str | bytes] = {
        "semicolons.csv": GOOD.replace(",", ";"),
        "tabs.csv": GOOD.replace(",", "\t"),
        "latin1.csv": GOOD.replace("Alien", "Amélie").encode("latin-1"),
        "utf16.csv": GOOD.encode("utf-16"),
        "excel.csv": b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00",
        "genre.csv": GOOD.replace("genres", "genre"),
        "two-columns.csv": "title,year\nAlien,1979\n",
        "empty.csv": "",
        "only-header.csv": "title,year,genres,video\n",
        "quote.csv": GOOD.replace("Alien", '"Alien'),
        "genre-misspelt.csv": GOOD.replace("Horror", "Horor"),
        "genre-commas.csv": GOOD.replace("Horror", '"Horror, Thriller"'),
        "year.csv": GOOD.replace("1979", "MCMLXXIX"),
        "outside.csv": GOOD.replace("alien.mp4", "../alien.mp4"),
        "no-video.csv": GOOD.replace("alien.mp4", "aliens.mp4"),
        "no-suffix.csv": GOOD.replace("alien.mp4", "alien"),
        "id.csv": "trailer_id,title,year,genres,video\na/b,Alien,1979,Horror,alien.mp4\n",
        "status.csv": GOOD.replace("year", "status"),
    }
    for name, text in tables.items():
        content = text.encode() if isinstance(text, str) else text
        (root / name).write_bytes(content)


def run(root: Path) -> None:
    """Add tables to a project that has been run."""
    (root / "films.csv").write_text("id,title,x\na,Alien,1.0\nb,Brazil,2.0\n")
    (root / "probes.csv").write_text("film,director\nalien,Ridley Scott\n")
    (root / "list.csv").write_text("title,year\nAlien,1979\n")
    (root / "prices.yaml").write_text("core_hour: 0.04\ngpu_hour: free\n")
    (root / "note.txt").write_text("no video")


def parameters(old: str, new: str) -> Setup:
    """Return what replaces a text in params.yaml of a fresh clone."""

    def change(root: Path) -> None:
        clone(root)
        text = (root / "params.yaml").read_text()
        assert text.count(old) == 1
        (root / "params.yaml").write_text(text.replace(old, new))

    return change


INIT = "mmx init --videos films --labels"
SITUATIONS: dict[str, tuple[Setup, tuple[str, ...]]] = {
    "The command line": (
        run,
        (
            "mmx frobnicate",
            "mmx verfy",
            "mmx status --frobnicate",
            "mmx trace",
            "mmx trace t00001 --clip first",
            "mmx adopt flow --sample 0",
            "mmx profile huge",
            "mmx similar t00001 --space wide",
            "mmx init --videos films",
            "mmx status flow",
        ),
    ),
    "In a folder that is no project": (
        empty,
        ("mmx status", "mmx init --videos films --labels labels.csv", "mmx weights list"),
    ),
    "In a fresh clone, before `mmx init`": (
        clone,
        (
            "mmx status",
            "mmx plan",
            "mmx accept alien",
            "mmx trace alien",
            "mmx verify",
            "mmx publish releases/1.0.0",
            "mmx similar alien",
            "mmx predict films/alien.mp4",
            "mmx audit",
            "mmx duplicates",
            "mmx work flow",
        ),
    ),
    "Tables of labels": (
        clone,
        (
            *(
                f"{INIT} {name}.csv"
                for name in (
                    "semicolons",
                    "tabs",
                    "latin1",
                    "utf16",
                    "excel",
                    "genre",
                    "two-columns",
                    "empty",
                    "only-header",
                    "quote",
                    "genre-misspelt",
                    "genre-commas",
                    "year",
                    "outside",
                    "no-video",
                    "no-suffix",
                    "id",
                    "status",
                    "missing",
                )
            ),
            "mmx init --videos filsm --labels genre.csv",
            "mmx init --videos films --labels films",
        ),
    ),
    "params.yaml: a misspelt key": (
        parameters("  short_side: 128", "  shortside: 128"),
        ("mmx plan",),
    ),
    "params.yaml: a value of another kind": (
        parameters("  short_side: 128", "  short_side: big"),
        ("mmx plan",),
    ),
    "params.yaml: a value out of bounds": (
        parameters("  train: 0.8", "  train: 1.8"),
        ("mmx plan",),
    ),
    "params.yaml: a choice that there is not": (
        parameters("detector: content", "detector: contents"),
        ("mmx plan",),
    ),
    "params.yaml: an expert that there is not": (
        parameters("lite_scene: {reads: clips}", "lite_scenes: {reads: clips}"),
        ("mmx plan",),
    ),
    "params.yaml: an expert that reads something else": (
        parameters("lite_motion: {reads: flow}", "lite_motion: {reads: clips}"),
        ("mmx plan",),
    ),
    "params.yaml: a tab": (parameters("  train: 0.8", "\ttrain: 0.8"), ("mmx plan",)),
    "In a project that has been run": (
        run,
        (
            "mmx trace nobody",
            "mmx trace t0001",
            "mmx trace t00001 --clip 99",
            "mmx trace t00001 --expert lite_scenes",
            "mmx accept t0001",
            "mmx similar nobody",
            "mmx retry flows",
            "mmx adopt flows",
            "mmx renew flows",
            "mmx work flow --shard 9/8",
            "mmx work train",
            "mmx diff v9",
            "mmx publish data",
            "mmx publish out --to hub",
            "mmx publish out --version one",
            "mmx verify --release data",
            "mmx weights list senet",
            "mmx ablate nonsense",
            "mmx explore nothing.csv",
            "mmx explore films.csv --space map=x,y",
            "mmx explore films.csv --title name",
            "mmx explore note.txt",
            "mmx probe probes.csv",
            "mmx plan --prices nothing.yaml",
            "mmx plan --prices prices.yaml",
            "mmx predict nothing.mp4",
            "mmx fetch nothing.csv",
            "mmx fetch list.csv",
            "mmx forget t00001",
            "mmx sample data",
        ),
    ),
}


def said(command: str, root: Path, capsys: pytest.CaptureFixture[str], setup: Setup) -> str:
    """Return a command and all that it prints, with the exit code if it is not 1."""
    setup(root)
    with pytest.raises(SystemExit) as ended:
        sys.argv = shlex.split(command)
        main()
    captured = capsys.readouterr()
    told = (captured.out + captured.err).replace(str(root), "~/project").replace(str(TOP), "~/mmx")
    told = re.sub(r" in \d+\.\d s", " in 0.1 s", told)
    assert "Traceback" not in told and ended.value.code
    code = "" if ended.value.code == 1 else f"  (exit code {ended.value.code})"
    return f"$ {command}{code}\n{told}"


def blocks() -> dict[str, str]:
    """Return the golden file by situation."""
    parts = re.split(r"^== (.*) ==\n\n", GOLDEN.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_message_is_as_written(
    situation: str, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["mmx"])
    setup, commands = SITUATIONS[situation]
    found = "\n".join(said(command, root, capsys, setup) for command in commands) + "\n"
    if WRITE:
        write(situation, found)
    assert found == blocks()[situation]


def write(situation: str, found: str) -> None:
    """Put a situation into the golden file, in its place."""
    known = (blocks() if GOLDEN.exists() else {}) | {situation: found}
    ordered = "".join(f"== {name} ==\n\n{known[name]}" for name in SITUATIONS if name in known)
    GOLDEN.write_text(f"{INTRODUCTION}\n{ordered}")


def test_there_are_forty_of_them_and_each_is_one_error() -> None:
    text = GOLDEN.read_text()
    assert set(blocks()) == set(SITUATIONS)
    assert len(re.findall(r"^\$ mmx", text, re.MULTILINE)) >= 40
