"""Python, packages, decoders, git and DVC."""

import sys
from collections.abc import Iterator
from pathlib import Path

from mmx.doctor.finding import Finding
from mmx.dvc_state.history import GitError, History
from mmx.dvc_state.tracked import git_faults
from mmx.pipeline.registry import all_tools
from mmx.project import Project
from mmx.tools import ToolsError, check_tools

_INSTALL = "`make install` makes .venv in the project, `source .venv/bin/activate` enters it"
_DECODERS = ("h264", "hevc", "vp9", "av1", "mpeg4", "aac", "mp3", "opus", "vorbis")
"""Of what trailers mostly are, by FFmpeg's names."""


def environment(project: Project) -> Iterator[Finding]:
    """Yield what is found in the environment of a project."""
    yield _python(project.layout.root)
    yield from _versions(project)
    yield _decoders()
    yield _ffmpeg()
    yield from _git(project.layout.root)
    yield from _dvc(project.layout.root)


def _python(root: Path) -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    found = f"Python {version} of {sys.prefix}"
    if sys.prefix == sys.base_prefix:
        return Finding("environment", "note", f"{found}, no virtual environment", _INSTALL)
    return Finding("environment", "ok", found)


def _versions(project: Project) -> Iterator[Finding]:
    """Compare what affects results with tools.yaml, package by package."""
    names = all_tools()
    wrong = [fault for name in names if (fault := _tool_fault(project, name))]
    yield from (Finding("versions", "wrong", *_parted(fault)) for fault in dict.fromkeys(wrong))
    if not wrong:
        yield Finding("versions", "ok", f"{len(names)} packages as mmx/tools.yaml says")


def _tool_fault(project: Project, name: str) -> str:
    try:
        check_tools(project.layout.tools, [name])
    except ToolsError as error:
        return str(error)
    return ""


def _parted(fault: str) -> tuple[str, str]:
    """Return what is wrong and its remedy, which a colon parts."""
    found, _, remedy = fault.rpartition(": ")
    return found or fault, remedy


def _decoders() -> Finding:
    import av

    lacking = [name for name in _DECODERS if name not in av.codecs_available]
    version = av.ffmpeg_version_info
    if lacking:
        remedy = "`make install` installs PyAV's own build, which has them"
        return Finding("decoders", "wrong", f"PyAV lacks {', '.join(lacking)}", remedy)
    return Finding("decoders", "ok", f"FFmpeg {version} in PyAV, with {', '.join(_DECODERS)}")


def _ffmpeg() -> Finding:
    """Look for the program, which only `mmx sample` and some of `mmx fetch` start."""
    from imageio_ffmpeg import get_ffmpeg_exe

    try:
        return Finding("ffmpeg", "ok", f"{Path(get_ffmpeg_exe()).name}, for `mmx sample`")
    except RuntimeError:
        remedy = "`make install` brings it with imageio-ffmpeg; nothing else needs it"
        return Finding("ffmpeg", "note", "the program is not there, for `mmx sample`", remedy)


def _git(root: Path) -> Iterator[Finding]:
    try:
        version = History(root).git("--version").split()[2]
        History(root).git("rev-parse", "--git-dir")
    except GitError as error:
        remedy = "`git init && git add --all && git commit`: earlier versions are found by commits"
        yield Finding("git", "note", str(error), remedy)
        return
    faults = git_faults(root)
    yield from (Finding("git", "wrong", *_parted(fault)) for fault in faults)
    if not faults:
        yield Finding("git", "ok", f"git {version}; it tracks no output that DVC versions")


def _dvc(root: Path) -> Iterator[Finding]:
    if not (root / ".dvc").is_dir():
        yield Finding("DVC", "wrong", "the folder is no DVC repository", "`dvc init`, then commit")
        return
    # Only the part of DVC that reads its settings: the rest takes seconds to load.
    from dvc.config import Config

    remotes = Config(str(root / ".dvc"))["remote"]
    if remotes:
        yield Finding("DVC", "ok", f"remotes: {', '.join(sorted(remotes))}")
        return
    remedy = "`dvc remote add --default NAME ADDRESS`, then `dvc push`"
    yield Finding("DVC", "note", "no remote: results are on this disk alone", remedy)
