"""Paths named in tables: resolved below one folder, or refused."""

import errno
import os
import re
import secrets
import stat
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from mmx.errors import UserError
from mmx.trailers.not_video import not_a_video
from mmx.trailers.quoting import quoted

LONGEST, LONGEST_PATH = 255, 1000
"""Bytes of one part of a path, and of all of it, which leaves room for the project's folder."""
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\\\\\ud800-\udfff]")
_NOT_NAMES = frozenset(("", ".", ".."))
_CONTROL_FILES = re.compile(
    r"(.*/)?(\.(git|dvc|mmx)[^/]*|dvc\.(yaml|lock)|params\.yaml|[^/]+\.dvc|\.ds_store|__pycache__"
    r"|[^/]+\.pyc|\.[^/]*\.tmp)(/.*)?",
    re.IGNORECASE | re.DOTALL,
)
"""What git, DVC or mmx reads as its own, or what .dvcignore has DVC pass over."""


class PathFault(UserError):
    """A path that a table names cannot be used; the message has no absolute path."""


def path_fault(video: str) -> str:
    """Return what is wrong with a video's path as text, or nothing.

    It must be relative, with / between its parts, and without `..`.
    """
    if not video:
        return "video is empty"
    if _UNSAFE.search(video):
        return f"video {quoted(video)} has a backslash or control character"
    if video.startswith("/"):
        return (
            f"video {quoted(video)} is an absolute path: name it relative to the folder of videos"
        )
    parts = video.split("/")
    if not _NOT_NAMES.isdisjoint(parts):
        return f"video {quoted(video)} has an empty part, . or .. in its path"
    if len(video) * 4 > LONGEST and _is_too_long(video, parts):
        return f"video {quoted(video)} is longer than a file name can be"
    if _CONTROL_FILES.fullmatch(video):
        return f"video {quoted(video)} has the name of a file of git, DVC or mmx: rename it"
    return ""


def _is_too_long(video: str, parts: Sequence[str]) -> bool:
    longest = max(len(part.encode("utf-8")) for part in parts)
    return longest > LONGEST or len(video.encode("utf-8")) > LONGEST_PATH


def locate(folder: Path, video: str) -> Path:
    """Return the file named `video` below `folder`, with links resolved.

    Accented letters on disk may be composed or decomposed. Raise PathFault if the path is refused,
    if there is no file, or if a link leads out of `folder`.
    """
    fault = path_fault(video)
    if fault:
        raise PathFault(fault)
    for form in _spellings(video):
        spelt = f"{folder}/{form}"
        if _mode(spelt, video):
            return _inside(folder, Path(spelt), video)
    raise PathFault(f"there is no video {quoted(video)}")


def _spellings(video: str) -> tuple[str, ...]:
    """Return the forms that a name may have on disk: accents composed, then decomposed."""
    if video.isascii():
        return (video,)
    return tuple(dict.fromkeys(unicodedata.normalize(form, video) for form in ("NFC", "NFD")))


def _mode(file: str, video: str) -> int:
    """Return the mode of what lies at a path, links followed; 0 where nothing does."""
    try:
        return os.stat(file).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:
        # A decomposed name can be longer than the file system allows: nothing has it.
        if error.errno == errno.ENAMETOOLONG:
            return 0
        raise PathFault(f"video {quoted(video)} cannot be read: {error.strerror}") from None
    except UnicodeEncodeError:
        raise PathFault(
            f"video {quoted(video)} has letters that this locale lacks: set PYTHONUTF8=1"
        ) from None


def _inside(folder: Path, spelt: Path, video: str) -> Path:
    file = spelt.resolve(strict=True)
    if not file.is_relative_to(folder.resolve(strict=True)):
        raise PathFault(f"video {quoted(video)} is a link that leads out of the folder of videos")
    return _regular(str(file), video)


def video_file(folder: Path, video: str) -> Path:
    """Return the regular file named `video` in the manifest, below data/videos, `folder`.

    Links may lead anywhere: the user made them. Raise PathFault otherwise.
    """
    fault = path_fault(video)
    if fault:
        raise PathFault(fault)
    return _regular(f"{folder}/{_spellings(video)[0]}", video)


def _regular(file: str, video: str) -> Path:
    mode = _mode(file, video)
    if not mode:
        raise PathFault(f"there is no video {quoted(video)}")
    # Reading a pipe or a device would never end.
    if not stat.S_ISREG(mode):
        raise PathFault(f"video {quoted(video)} is not a file")
    return Path(file)


def check_kind(file: Path, video: str) -> None:
    """Raise PathFault, which calls the file `video`, for one that is no video or is unreadable."""
    try:
        reason = not_a_video(file)
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    if reason:
        raise PathFault(f"video {quoted(video)} {reason}")


def link(source: Path, folder: Path, video: str) -> None:
    """Make `folder / video` a symbolic link to `source`, or leave it if it is that file.

    Raise PathFault if another file is there already: it may be the only copy. The link is made
    atomically.
    """
    target = folder / PurePosixPath(video)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise PathFault(
            f"video {quoted(video)} needs a folder where data/videos has a file"
        ) from None
    if target.exists() and target.samefile(source):
        return
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise PathFault(f"video {quoted(video)} would be linked through a link out of data/videos")
    if target.exists() and not target.is_symlink():
        raise PathFault(f"data/videos has a file {quoted(video)} of its own: move it away")
    temporary = target.with_name(f".{secrets.token_hex(6)}.link")
    temporary.symlink_to(source)
    os.replace(temporary, target)
