"""A local web server that interrupts, redirects and changes files on request; stand-ins;
small artefacts, and embedding them as a step does.
"""

import gc
import hashlib
import importlib.util
import socket
import threading
import wave
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import av
import numpy as np
import pytest

from mmx.engine.rows import ROWS, read_rows
from mmx.experts.item import EmbedJob, embed_items
from mmx.experts.registry import get_expert
from mmx.experts.weights import Place, require
from mmx.flow.store import FlowHeader, FlowPair, FlowWriter
from mmx.media.clip import Clip
from mmx.media.faults import Limits
from mmx.params import EmbedParams, ExpertEntry


@dataclass
class Site:
    """What the server serves, and what it was asked."""

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    break_after: list[int] = field(default_factory=list)
    """Bytes after which each next answer breaks off; whole answers when it is used up."""
    trouble: int = 0
    """How many next requests are answered with 503."""
    tags: bool = True
    ranges: bool = True
    shift: int = 0
    """By how much the part that is sent begins after the one that was asked for."""
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """(path, Range) of each request."""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


class Server(ThreadingHTTPServer):
    """A server of a `Site`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.site = Site(port=self.server_port)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        site = self.server.site
        site.requests.append((self.path, self.headers["Range"]))
        if site.trouble:
            site.trouble -= 1
            self.send_error(503)
        elif self.path in site.redirects:
            self.send_response(302)
            self.send_header("Location", site.redirects[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path in site.files:
            self.send_file(site, site.files[self.path])
        else:
            self.send_error(404)

    def send_file(self, site: Site, body: bytes) -> None:
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        start = 0
        if site.ranges and self.headers["Range"] and self.headers["If-Range"] in (None, tag):
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            start += site.shift
        if start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if site.tags:
            self.send_header("ETag", tag)
        self.end_headers()
        stop = start + site.break_after.pop(0) if site.break_after else len(body)
        self.wfile.write(body[start:stop])


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A `Site` being served; no proxy stands between."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.site
        server.shutdown()
        thread.join()
    # A connection that nobody closed is a warning, and so an error, of the test that left it.
    gc.collect()


@pytest.fixture
def unused_port() -> int:
    """A port without a server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def standins() -> ModuleType:
    """The module beside this file: it is a script too, so it is loaded by its path."""
    spec = importlib.util.spec_from_file_location("standins", Path(__file__).parent / "standins.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FPS = 25


@pytest.fixture
def clips() -> Callable[..., tuple[Clip, ...]]:
    """Makes clips of given lengths in frames, one after the other, at 25 frames per second."""

    def cut(*lengths: int) -> tuple[Clip, ...]:
        ends = np.cumsum(lengths).tolist()
        spans = zip([0, *ends], ends, strict=False)
        return tuple(Clip(i, a, b, a / FPS, b / FPS) for i, (a, b) in enumerate(spans))

    return cut


@pytest.fixture
def video(tmp_path: Path) -> Callable[..., Path]:
    """Writes a video of moving waves: `seed` sets their colours."""

    def write(
        frames: int, seed: int = 0, size: tuple[int, int] = (48, 64), name: str | None = None
    ) -> Path:
        path = tmp_path / (name or f"{frames}-{seed}.mp4")
        phases = np.random.default_rng(seed).uniform(1, 9, (3, 1, 1))
        y, x = np.mgrid[: size[0], : size[1]]
        with av.open(path, "w") as container:
            stream = container.add_stream("mpeg4", rate=FPS)
            stream.width, stream.height, stream.pix_fmt = size[1], size[0], "yuv420p"
            for index in range(frames):
                waves = 127 + 120 * np.sin((x + y * phases + 3 * index) / phases)
                picture = np.ascontiguousarray(waves.astype(np.uint8).transpose(1, 2, 0))
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
        return path

    return write


@pytest.fixture
def flow(tmp_path: Path) -> Callable[..., Path]:
    """Writes a flow file of random images; `counts` says how many each clip has."""

    def write(counts: dict[int, int], seed: int = 0, size: tuple[int, int] = (64, 96)) -> Path:
        path = tmp_path / f"{seed}.flow"
        generator = np.random.default_rng(seed)
        with FlowWriter(path, FlowHeader(*size, bound=20.0)) as writer:
            for clip, count in counts.items():
                for index in range(count):
                    image = generator.integers(90, 170, (*size, 2), dtype=np.uint8)
                    writer.write(FlowPair(clip, index, index + 1), image)
        return path

    return write


@pytest.fixture
def wav(tmp_path: Path) -> Callable[..., Path]:
    """Writes noise of so many samples at 16 kHz."""

    def write(samples: int, seed: int = 0) -> Path:
        path = tmp_path / f"{samples}-{seed}.wav"
        noise = np.random.default_rng(seed).normal(0, 3000, samples).astype("<i2")
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 16000, samples, "NONE", ""))
            file.writeframes(noise.tobytes())
        return path

    return write


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., EmbedJob]:
    """Makes a job with an empty folder of its own and the weights that packages carry."""
    folders = iter(range(1_000_000))

    def make(
        expert: str,
        source: Path | None,
        clips: Iterable[Clip],
        *,
        frames: int = 3,
        batch: int = 4,
        precision: Literal["float32", "bfloat16", "float16"] = "float32",
        rate: Literal["native"] | float = "native",
    ) -> EmbedJob:
        out = tmp_path / "out" / str(next(folders))
        out.mkdir(parents=True)
        place = Place(tmp_path, tmp_path / "weights.lock.yaml")
        found = require(get_expert(expert).weights, place)
        return EmbedJob(
            expert=expert,
            source=source,
            clips=tuple(clips),
            params=EmbedParams(
                experts={"lite_scene": ExpertEntry(reads="clips")},
                frames_per_clip=frames,
                batch=batch,
                precision=precision,
            ),
            limits=Limits(),
            out=out,
            weights={status.weights.file: status.path for status in found},
            rate=rate,
            device="cpu",
        )

    return make


@pytest.fixture
def embedded() -> Callable[..., list[Any]]:
    """Embeds jobs; returns per job the table of its rows, or what ended it."""

    def run(*jobs: EmbedJob) -> list[Any]:
        results = list(embed_items(jobs))
        assert len(results) == len(jobs)
        return [
            result if isinstance(result, Exception) else read_rows(Path(job.out) / ROWS)
            for job, result in zip(jobs, results, strict=True)
        ]

    return run
