"""A host of videos on this machine that answers by the first part of the path, and keeps a log.

`ok`, `gone`, `private`, `page`; `limited` (the first request to a path is told to wait a second);
`slow` (ends sending in the middle the first time); `truncated` (cuts the first answer); `lying`
(always announces more than it sends); `changing` (other bytes each time, the first answer cut);
`careless` (the same, and sends the rest of other bytes when it is asked for the rest); `unsized`
(in chunks, without a length); `moved` (leads to `ok`), `away` (to a file), `circle` (to itself).
"""

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

START = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41"
SIZE = 200_000


def body_of(path: str, version: int = 0) -> bytes:
    """The bytes of a video, in a version."""
    block = hashlib.sha256(f"{path} {version}".encode()).digest()
    return (START + block * (SIZE // len(block)))[:SIZE]


@dataclass(frozen=True)
class Asked:
    """A request."""

    moment: float
    path: str
    range: str
    cookie: str


@dataclass
class Host:
    """What the server did, and how fast it sends."""

    log: list[Asked] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    bytes_each: int = SIZE
    """Sent before each pause."""
    pause_s: float = 0.0
    stall_s: float = 1.0
    clock: Callable[[], float] = time.monotonic
    """By which the log has its moments."""
    sent: threading.Event = field(default_factory=threading.Event)
    """Set when a first part of a file was sent."""
    address: str = ""

    def url(self, path: str) -> str:
        """The address of a path."""
        return f"{self.address}/{path}"

    def asked(self, path: str) -> list[Asked]:
        """Requests to a path, or to all that begin with it."""
        return [each for each in self.log if each.path.startswith(f"/{path}")]


_LEADS = {"moved": "", "away": "file:///etc/passwd", "circle": "/circle/a.mp4"}
_CHANGING = ("changing", "careless")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    host: Host

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        """Answer by the first part of the path."""
        host, path = self.host, self.path
        given = (self.headers.get(name, "") for name in ("Range", "Cookie"))
        host.log.append(Asked(host.clock(), path, *given))
        host.hits[path] += 1
        kind, first = path.split("/")[1], host.hits[path] == 1
        # A connection serves one request: what follows a lie cannot be taken for an answer.
        self.close_connection = True
        if kind in ("gone", "private"):
            self._say({"gone": 404, "private": 403}[kind])
        elif kind == "limited" and first:
            self._say(429, ("Retry-After", "1"))
        elif kind in _LEADS:
            self._say(302, ("Location", _LEADS[kind] or path.replace("moved", "ok", 1)))
        elif kind == "page":
            self._send(b"<html>not here</html>", SIZE)
        else:
            self._video(kind, first)

    def _say(self, status: int, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _video(self, kind: str, first: bool) -> None:
        version = self.host.hits[self.path] if kind in _CHANGING else 0
        body = body_of(self.path, version)
        cut = SIZE // 3 if kind in ("truncated", *_CHANGING) and first else SIZE
        if kind == "lying":
            return self._send(body, SIZE, more=1000)
        if kind == "unsized":
            return self._send_in_chunks(body)
        if kind == "careless":
            del self.headers["If-Range"]
        self._send(body, cut, stall=kind == "slow" and first)

    def _send_in_chunks(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in (body[: SIZE // 3], body[SIZE // 3 :], b""):
            self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")

    def _send(self, body: bytes, end: int, more: int = 0, stall: bool = False) -> None:
        """Send a body from where it is asked for, up to `end`."""
        tag, start = f'"{hashlib.md5(body).hexdigest()}"', 0
        asked = self.headers.get("Range", "")
        if asked and self.headers.get("If-Range", tag) == tag:
            start = int(asked.removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if start else 200)
        if start:
            last, total = len(body) + more - 1, len(body) + more
            self.send_header("Content-Range", f"bytes {start}-{last}/{total}")
        self.send_header("Content-Length", str(len(body) + more - start))
        self.send_header("ETag", tag)
        self.send_header("Content-Type", "video/mp4")
        self.end_headers()
        self._stream(body[start:end], stall)

    def _stream(self, content: bytes, stall: bool) -> None:
        try:
            for at in range(0, len(content), self.host.bytes_each):
                self.wfile.write(content[at : at + self.host.bytes_each])
                self.wfile.flush()
                self.host.sent.set()
                time.sleep(self.host.stall_s if stall else self.host.pause_s)
        except OSError:
            pass  # The one who asked was killed.


@contextmanager
def serving() -> Iterator[Host]:
    """Serve on a free port."""
    host = Host()
    handler = type("Handler", (_Handler,), {"host": host})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    host.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
