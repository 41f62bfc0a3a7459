"""Trailer ids: what they may be, and how they are derived from the names of videos."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable

from mmx.trailers.quoting import quoted

LENGTH = 64
_ID = re.compile(rf"[A-Za-z0-9_-]{{1,{LENGTH}}}")
_SUFFIX = re.compile(r"(?<=.)\.[^.]+\Z", re.DOTALL)
_OTHERS = re.compile(r"[^a-z0-9_]+")


def is_trailer_id(text: str) -> bool:
    """Say whether `text` is made of A-Z, a-z, 0-9, _ and -, at most 64 of them.

    The ids of YouTube are. Case counts: `mmx.engine.names` keeps the files of two such ids apart
    where it does not count.
    """
    return _ID.fullmatch(text) is not None


def id_fault(text: str) -> str:
    """Return what is wrong with a trailer_id, or nothing."""
    if is_trailer_id(text):
        return ""
    return f"trailer_id {quoted(text)} is not made of A-Z, a-z, 0-9, _ and - (at most {LENGTH})"


def slug(video: str) -> str:
    """Return an id like the video's name without folder and suffix; empty where nothing is left.

    >>> slug("scifi/Amélie & Alien (1979).mp4"), slug("千と千尋.mp4")
    ('amelie-alien-1979', '')
    """
    name = video.rpartition("/")[2]
    stem = _SUFFIX.sub("", name)
    letters = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    return _OTHERS.sub("-", letters).strip("-_")[:LENGTH].rstrip("-_")


def derive_ids(videos: Iterable[str], taken: Collection[str]) -> dict[str, str]:
    """Return an id for each video (a path), all different and none in `taken`.

    The id is the video's slug. Videos that would share one, or whose slug is taken, get a suffix
    made from their whole path; so the order of `videos` does not matter.
    """
    slugs = {video: slug(video) for video in videos}
    count = Counter(slugs.values())
    free = {
        video: name
        for video, name in slugs.items()
        if name and count[name] == 1 and name not in taken
    }
    used = {*taken, *free.values()}
    for video in sorted(slugs.keys() - free.keys()):
        free[video] = _suffixed(slugs[video], video, used)
        used.add(free[video])
    return free


def _suffixed(name: str, video: str, used: Collection[str]) -> str:
    digest = hashlib.sha256(video.encode("utf-8")).hexdigest()
    for digits in range(8, len(digest)):
        candidate = f"{name or 't'}"[: LENGTH - 1 - digits] + "-" + digest[:digits]
        if is_trailer_id(candidate) and candidate not in used:
            return candidate
    raise ValueError(f"no id is left for {video!r}")
