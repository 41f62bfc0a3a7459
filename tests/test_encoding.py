"""Names with accents in a locale that has none: whatever the locale says, names are UTF-8."""

import subprocess
import sys
from pathlib import Path

import pytest

from mmx.paramsfile import NO_PROJECT

TOP = Path(__file__).parents[1]
POSIX = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def python(root: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[bytes]:
    """Run Python in a folder, with the project's own modules, in the POSIX locale."""
    command = [sys.executable, *arguments]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(TOP), "HOME": str(root), **POSIX}
    return subprocess.run(command, cwd=root, env={**environment, **settings}, capture_output=True)


@pytest.mark.parametrize("settings", [{}, {"PYTHONIOENCODING": "ascii"}])
def test_names_with_accents_are_found_and_printed(tmp_path: Path, settings: dict[str, str]) -> None:
    (tmp_path / "params.yaml").write_bytes((TOP / "params.yaml").read_bytes())
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "été.mp4").write_bytes(b"x")
    rows = ["title,year,genres,video", "Été,2000,Drama,été.mp4", "Zoë,2000,Drama,zoë.mp4"]
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    done = python(
        tmp_path, "-m", "mmx", "init", "--videos", "videos", "--labels", "labels.csv", **settings
    )
    assert done.returncode == 0, done.stderr
    title = "Zo\\xeb" if settings else "Zoë"
    said = f"row 3, '{title}', rejected: there is no video '{title.lower()}.mp4'"
    assert said in done.stdout.decode()
    assert "1 rows accepted, 1 rejected" in done.stdout.decode()
    assert (tmp_path / "data" / "videos" / "été.mp4").is_symlink()


def test_a_stage_reads_names_as_utf8_too(tmp_path: Path) -> None:
    folder = tmp_path / "été"
    folder.mkdir()
    done = python(folder, "-m", "stages.run", "scenes")
    said = f"error: {NO_PROJECT.format(folder / 'params.yaml')}\n"
    assert (done.returncode, done.stderr.decode()) == (1, said)
