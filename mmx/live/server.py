"""The server of the live view: on this machine's own address, for reading alone."""

import json
from dataclasses import asdict
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock

from mmx.errors import UserError
from mmx.live.state import Watch
from mmx.project import Project

HOST = "127.0.0.1"
_PAGE = Path(__file__).with_name("page.html")
_POLICY = (
    "default-src 'none'; connect-src 'self'; frame-src 'self'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
_NAMES = {HOST, "localhost"}


class PortError(UserError):
    """The port of the server is taken, or is not to be had."""


def serve(project: Project, port: int = 0) -> ThreadingHTTPServer:
    """Return a server of the live view on a port of 127.0.0.1; 0: any that is free.

    Its `serve_forever` answers until it is interrupted. Raise PortError for a port that is taken.
    """
    handler = partial(_Handler, Watch(project), Lock(), project.layout.page)
    try:
        return ThreadingHTTPServer((HOST, port), handler)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PortError(
            f"port {port} is not to be had ({reason}): name another by --port"
        ) from None


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD for the live view, its data and the report."""

    def __init__(self, watch: Watch, lock: Lock, report: Path, *arguments: object) -> None:
        self.watch, self.lock, self.report = watch, lock, report
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer with a page or with data; the method's name is http.server's."""
        if not self._is_asked_here():
            # A page elsewhere whose name leads to this machine must not read it.
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        elif self.path == "/":
            self._send(_PAGE.read_bytes(), "text/html; charset=utf-8", _POLICY)
        elif self.path == "/state.json":
            self._send(self._state(), "application/json")
        elif self.path.partition("?")[0] == "/report" and self.report.is_file():
            # The report has a policy of its own.
            self._send(self.report.read_bytes(), "text/html; charset=utf-8")
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    do_HEAD = do_GET

    def _is_asked_here(self) -> bool:
        return self.headers.get("Host", "").rpartition(":")[0] in _NAMES

    def _state(self) -> bytes:
        with self.lock:
            return json.dumps(asdict(self.watch.look())).encode()

    def _send(self, content: bytes, kind: str, policy: str = "") -> None:
        self.send_response(HTTPStatus.OK)
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            **({"Content-Security-Policy": policy} if policy else {}),
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing: the page asks every other second."""
