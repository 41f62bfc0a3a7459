"""One file over HTTP: resumed where it broke off, never pieced together from two versions."""

import http.client
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from mmx.errors import UserError

CHUNK = 1 << 20
"""Bytes read at a time."""
TIMEOUT_S = 60.0
"""Seconds without a byte after which a connection counts as broken."""
ATTEMPTS = 5
"""Connections per address before it is given up."""

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes that there will be, None if unknown."""

_BROKEN = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)
_TEMPORARY = {408, 416, 425, 429}


class DownloadError(UserError):
    """An address gave no file; what came of it is kept, to be continued."""


def download(
    url: str, path: Path, progress: Progress = lambda done, total: None, *, pause_s: float = 1.0
) -> str:
    """Write the file at `url` to `path`; return the address that redirects led to.

    What an earlier call left is continued if the server vouches that the file is the same (ETag or
    Last-Modified), else fetched anew. Proxies are taken from the environment. A broken connection
    is tried again after `pause_s` seconds, then twice as long, and so on. Raises DownloadError; a
    full disk and the like propagate.
    """
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(pause_s * 2 ** (attempt - 1))
        try:
            return _continue(url, path, progress)
        except _BROKEN as error:
            reason = error
            if _is_final(error):
                break
    raise DownloadError(f"{url}: {reason}") from reason


def part_path(folder: Path, file: str, url: str) -> Path:
    """Return where an unfinished `file` from `url` lies: another address is another file."""
    return folder / f".{file}.{sha256(url.encode()).hexdigest()[:8]}.part"


def discard(path: Path) -> None:
    """Remove an unfinished file and what is known of it."""
    path.unlink(missing_ok=True)
    _tag_path(path).unlink(missing_ok=True)


def _tag_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.tag")


def _is_final(error: Exception) -> bool:
    """True for an answer that asking again will not change, and where there is no network."""
    if isinstance(error, urllib.error.HTTPError):
        return 400 <= error.code < 500 and error.code not in _TEMPORARY
    return isinstance(getattr(error, "reason", None), socket.gaierror)


def _continue(url: str, path: Path, progress: Progress) -> str:
    """Connect once, and append to `path` or write it anew."""
    tag_path = _tag_path(path)
    done = path.stat().st_size if path.exists() and tag_path.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "mmx"})
    if done:
        request.add_header("Range", f"bytes={done}-")
        request.add_header("If-Range", tag_path.read_text(encoding="latin1"))
    try:
        response = urllib.request.build_opener().open(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            discard(path)
        raise
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            done = 0
        elif not response.headers["Content-Range"].startswith(f"bytes {done}-"):
            raise http.client.HTTPException("the server sent another part than it was asked for")
        _keep_tag(response, tag_path)
        _receive(response, path, done, progress)
        address: str = response.geturl()
        return address


def _keep_tag(response: http.client.HTTPResponse, tag_path: Path) -> None:
    """Write down what tells this version of the file from another, for the next connection."""
    tag = response.headers["ETag"] or response.headers["Last-Modified"]
    if tag:
        tag_path.write_text(tag, encoding="latin1")
    else:
        tag_path.unlink(missing_ok=True)


def _receive(response: http.client.HTTPResponse, path: Path, done: int, progress: Progress) -> None:
    """Append the answer to the first `done` bytes of `path`, and make sure that it is whole."""
    length = response.headers["Content-Length"]
    total = done + int(length) if length else None
    with path.open("ab") as file:
        file.truncate(done)
        while chunk := response.read(CHUNK):
            file.write(chunk)
            done += len(chunk)
            progress(done, total)
        file.flush()
        os.fsync(file.fileno())
    if total is not None and done != total:
        raise http.client.IncompleteRead(b"", total - done)
