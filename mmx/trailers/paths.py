"""Paths named in tables: resolved below one folder, or refused."""

import os
import secrets
import unicodedata
from pathlib import Path, PurePosixPath

from mmx.errors import UserError
from mmx.trailers.not_video import not_a_video

LONGEST = 255
"""Bytes of one part of a path."""


class PathFault(UserError):
    """A path that a table names cannot be used; the message has no absolute path."""


def path_fault(video: str) -> str:
    """Return what is wrong with a video's path as text, or nothing.

    It must be relative, with / between its parts, and without `..`.
    """
    parts = video.split("/")
    if not video:
        return "video is empty"
    if any(unicodedata.category(letter) in ("Cc", "Cs") or letter == "\\" for letter in video):
        return f"video {video!r} has a backslash or control character"
    if video.startswith("/"):
        return f"video {video!r} is an absolute path: name it relative to the folder of videos"
    if any(part in ("", ".", "..") for part in parts):
        return f"video {video!r} has an empty part, . or .. in its path"
    if any(len(part.encode("utf-8")) > LONGEST for part in parts):
        return f"video {video[:40]!r}... is longer than a file name can be"
    return ""


def locate(folder: Path, video: str) -> Path:
    """Return the file named `video` below `folder`, with links resolved.

    Accented letters on disk may be composed or decomposed. Raise PathFault if the path is refused,
    if there is no file, or if a link leads out of `folder`.
    """
    fault = path_fault(video)
    if fault:
        raise PathFault(fault)
    for form in ("NFC", "NFD"):
        spelt = folder / unicodedata.normalize(form, video)
        if spelt.exists():
            return _inside(folder, spelt, video)
    raise PathFault(f"there is no video {video!r}")


def _inside(folder: Path, spelt: Path, video: str) -> Path:
    file = spelt.resolve(strict=True)
    if not file.is_relative_to(folder.resolve(strict=True)):
        raise PathFault(f"video {video!r} is a link that leads out of the folder of videos")
    return _regular(file, video)


def video_file(folder: Path, video: str) -> Path:
    """Return the regular file named `video` in the manifest, below data/videos, `folder`.

    Links may lead anywhere: the user made them. Raise PathFault otherwise.
    """
    fault = path_fault(video)
    if fault:
        raise PathFault(fault)
    return _regular(folder / unicodedata.normalize("NFC", video), video)


def _regular(file: Path, video: str) -> Path:
    if not file.exists():
        raise PathFault(f"there is no video {video!r}")
    # Reading a pipe or a device would never end.
    if not file.is_file():
        raise PathFault(f"video {video!r} is not a file")
    return file


def check_kind(file: Path, video: str) -> None:
    """Raise PathFault, which calls the file `video`, for one that is plainly no video."""
    reason = not_a_video(file)
    if reason:
        raise PathFault(f"video {video!r} {reason}")


def link(source: Path, folder: Path, video: str) -> None:
    """Make `folder / video` a symbolic link to `source`, or leave it if it is that file.

    Raise PathFault if another file is there already: it may be the only copy. The link is made
    atomically.
    """
    target = folder / PurePosixPath(video)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and target.samefile(source):
        return
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise PathFault(f"video {video!r} would be linked through a link out of data/videos")
    if target.exists() and not target.is_symlink():
        raise PathFault(f"data/videos has a file {video!r} of its own: move it away")
    temporary = target.with_name(f".{secrets.token_hex(6)}.link")
    temporary.symlink_to(source)
    os.replace(temporary, target)
