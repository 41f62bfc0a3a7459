"""Upload to a hub, against a server that answers as the hub does."""

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mmx.release.about import ReleaseError
from mmx.release.hub import upload

pytestmark = pytest.mark.slow

REPOSITORY = "somebody/films"


@dataclass
class Hub:
    """What the server has received."""

    files: dict[str, str] = field(default_factory=dict)
    """How each file came: `regular`, or the sha256 of large ones."""
    content: dict[str, bytes] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    refuse: bool = False


class Handler(BaseHTTPRequestHandler):
    """The part of the hub's interface that its library uses for this."""

    hub: Hub
    address: str

    def log_message(self, format: str, *args: Any) -> None:
        """Be quiet."""

    def answer(self, data: Any, code: int = 200) -> None:
        body = json.dumps(data).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_GET(self) -> None:
        siblings = [{"rfilename": name} for name in self.hub.files]
        entries = [{"type": "file", "path": n, "size": 1, "oid": "0"} for n in self.hub.files]
        info = {"id": REPOSITORY, "sha": "0" * 40, "siblings": siblings, "private": False}
        info |= {"downloads": 0, "likes": 0, "tags": []}
        self.answer(entries if "/tree/" in self.path else info)

    def do_PUT(self) -> None:
        self.hub.objects[self.path.rsplit("/", 1)[1]] = self.body()
        self.answer({})

    def do_POST(self) -> None:
        body, path = self.body(), self.path.partition("?")[0]
        if self.hub.refuse:
            self.answer({"error": "You are not allowed to do this"}, 403)
        elif path.endswith("/validate-yaml"):
            self.answer({"errors": [], "warnings": []})
        elif path.endswith("/repos/create"):
            self.answer({"url": f"{self.address}/datasets/{REPOSITORY}"})
        elif "/preupload/" in path:
            files = json.loads(body)["files"]
            modes = [("lfs" if f["path"].endswith(".parquet") else "regular") for f in files]
            answers = zip(files, modes, strict=True)
            found = [
                {"path": f["path"], "uploadMode": m, "shouldIgnore": False, "oid": None}
                for f, m in answers
            ]
            self.answer({"files": found})
        elif path.endswith("/info/lfs/objects/batch"):
            self.answer(
                {
                    "transfer": "basic",
                    "objects": list(map(self.wanted, json.loads(body)["objects"])),
                }
            )
        elif "/commit/" in path:
            for line in map(json.loads, body.splitlines()):
                self.take(line)
            url = f"{self.address}/datasets/{REPOSITORY}/commit/1"
            self.answer({"commitUrl": url, "commitOid": "1" * 40})
        elif "/tag/" in path:
            self.hub.tags.append(json.loads(body)["tag"])
            self.answer({})
        else:
            self.answer({"error": path}, 404)

    def wanted(self, asked: dict[str, Any]) -> dict[str, Any]:
        """An object that the hub has is not asked for again."""
        if asked["oid"] in self.hub.objects:
            return asked
        self.hub.sent.append(asked["oid"])
        return asked | {"actions": {"upload": {"href": f"{self.address}/lfs/{asked['oid']}"}}}

    def take(self, line: dict[str, Any]) -> None:
        value = line["value"]
        if line["key"] == "file":
            self.hub.files[value["path"]] = "regular"
            self.hub.content[value["path"]] = base64.b64decode(value["content"])
        elif line["key"] == "lfsFile":
            self.hub.files[value["path"]] = value["oid"]
        elif line["key"] == "deletedFile":
            self.hub.files.pop(value["path"], None)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub that listens here, and the environment in which the library finds it."""
    found = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Handler.hub, Handler.address = found, f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", Handler.address)
    for module in ("hf_api", "lfs", "_commit_api"):
        name = f"huggingface_hub.{module}.ENDPOINT"
        monkeypatch.setattr(name, Handler.address, raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    yield found
    server.shutdown()
    server.server_close()


def test_a_release_arrives_whole_and_tagged(hub: Hub, release: Path) -> None:
    address = upload(release, REPOSITORY)
    assert address.endswith("/commit/1") and hub.tags == ["1.0.0"]
    names = {p.relative_to(release).as_posix() for p in release.rglob("*") if p.is_file()}
    assert set(hub.files) == names
    for name, how in hub.files.items():
        content = hub.content[name] if how == "regular" else hub.objects[how]
        assert content == (release / name).read_bytes()


def test_what_the_hub_has_is_not_sent_again(hub: Hub, release: Path) -> None:
    upload(release, REPOSITORY)
    hub.sent.clear()
    hub.files["old/file.parquet"] = "x"
    upload(release, REPOSITORY)
    assert hub.sent == [] and "old/file.parquet" not in hub.files


def test_a_refusal_is_one_sentence(hub: Hub, release: Path) -> None:
    hub.refuse = True
    with pytest.raises(ReleaseError, match=r"the hub did not take the release: .*403"):
        upload(release, REPOSITORY)


def test_a_release_that_is_not_intact_is_not_sent(hub: Hub, release: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(release, tmp_path / "copy")
    (tmp_path / "copy/digest.txt").write_text("x")
    with pytest.raises(ReleaseError, match="not intact"):
        upload(tmp_path / "copy", REPOSITORY)
    assert hub.files == {}
