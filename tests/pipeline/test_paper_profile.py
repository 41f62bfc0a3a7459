"""The paper's experts through the whole DAG, on stand-ins for their checkpoints."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from mmx.experts.base import Checkpoint
from mmx.experts.registry import get_expert

if TYPE_CHECKING:
    from tests.pipeline.conftest import Project


pytestmark = pytest.mark.slow

FPS, RATE = 25, 16000
SIZE = (96, 128)
SHOTS = 4
"""Of which the first and the last are dropped: two clips are left."""
SHOT = 20
"""Frames: fewer than a stack has, and shorter than a patch of sound."""
TRAILERS = ("amber", "brook", "cliff", "dune", "ember", "fjord", "glade", "hollow")
"""One film under eight titles: what is the same is computed once."""
GENRES = ("Comedy", "Drama", "Horror", "Western")
EXPERTS = ("i3d_flow", "r2plus1d_34", "resnet18_places365", "senet154", "vggish")
PADDED = {
    "i3d_flow": 64 - 1,
    "r2plus1d_34": 32 - SHOT // 2,
    "resnet18_places365": 0,
    "senet154": 0,
    "vggish": 15_600 - SHOT * RATE // FPS,
}
"""Of each clip: one flow image, half as many frames as it has, and its frames themselves."""
REDUCED = {
    "embed.batch": 1,
    "embed.frames_per_clip": 1,
    "evaluate.pictured": 1,
    "finetune.constant_epochs": 1,
    "finetune.epochs": 1,
    "flow.pairs_per_clip": 1,
    "flow.short_side": 224,
    "split.min_clips": 1,
    "split.test": 0.25,
    "split.train": 0.5,
    "split.validation": 0.25,
    "train.epochs": 1,
}
"""Less of the work of the paper profile, none of it otherwise."""


def picture(shot: int, frame: int) -> np.ndarray:
    """Waves that move, in the colours of their shot."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    waves = 60 * np.sin((x + 2 * y) / 9 + frame / 2)
    colours = np.random.default_rng(shot).permutation([60, 128, 195])
    image: np.ndarray = (colours + waves[..., None]).astype(np.uint8)
    return image


def write_film(path: Path) -> None:
    """Encode some shots, with a tone that rises."""
    with av.open(path, "w") as container:
        video = container.add_stream("mpeg4", rate=FPS)
        video.height, video.width, video.pix_fmt = *SIZE, "yuv420p"
        audio = container.add_stream("aac", rate=RATE, layout="mono")
        for frame in range(SHOTS * SHOT):
            image = picture(frame // SHOT, frame)
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode(None))
        seconds = np.arange(SHOTS * SHOT * RATE // FPS) / RATE
        tone = 0.3 * np.sin(2000 * seconds * (1 + seconds / 4))
        sound = av.AudioFrame.from_ndarray(tone[None].astype(np.float32), "fltp", "mono")
        sound.rate = RATE
        container.mux(audio.encode(sound))
        container.mux(audio.encode(None))


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of weights, empty at first."""
    folder = tmp_path / "weights"
    monkeypatch.setenv("MMX_WEIGHTS", str(folder))
    return folder


@pytest.fixture
def project(clone: "Callable[[Path], Project]", weights: Path, tmp_path: Path) -> "Project":
    """Trailers that nothing has been computed of."""
    videos = tmp_path / "videos"
    videos.mkdir()
    write_film(videos / "film.mp4")
    film = (videos / "film.mp4").read_bytes()
    for name in TRAILERS:
        # An empty box at the end: other bytes, the same streams.
        free = (16).to_bytes(4, "big") + b"free" + name.encode().ljust(8)
        (videos / f"{name}.mp4").write_bytes(film + free)
    project = clone(tmp_path / "project")
    rows = [f"{n},2001,{g},{n}.mp4" for n, g in zip(TRAILERS, 2 * GENRES, strict=True)]
    (project.root / "labels.csv").write_text("\n".join(["title,year,genres,video", *rows]))
    project.run("mmx", "init", "--videos", str(videos), "--labels", "labels.csv")
    return project


def assert_all_are_asked_for(said: str, weights: Path) -> None:
    """Check that a message names every file with its place, its addresses and its size."""
    assert f"{len(EXPERTS)} file(s) of weights missing" in said
    for name in EXPERTS:
        for checkpoint in get_expert(name).weights:
            assert isinstance(checkpoint, Checkpoint)
            assert f"put at {weights / checkpoint.file}\n" in said
            for source in checkpoint.sources:
                assert source.size is not None
                assert f"from {source.url} ({source.size / 1e6:.1f} MB)" in said


def test_without_weights_it_fails_before_any_work_and_asks_for_each_file(
    project: "Project", weights: Path
) -> None:
    assert_all_are_asked_for(project.run("mmx", "profile", "paper", fails=True), weights)
    assert_all_are_asked_for(project.run("dvc", "repro", fails=True), weights)
    for step in ("scenes", "audio", "flow", "embed@vggish"):
        said = project.run("python", "-m", "stages.run", step, fails=True)
        assert_all_are_asked_for(said, weights)
    assert not project.computed()
    assert not list((project.root / "data").glob("*.parquet"))


def test_with_the_files_put_there_it_runs_to_the_report(project: "Project", weights: Path) -> None:
    script = Path("tests", "experts", "standins.py")
    project.run("python", str(script), str(weights), "weights.lock.yaml")
    project.run("mmx", "profile", "paper")
    project.edit({**REDUCED, "embed.experts.r2plus1d_34.rate": FPS / 2})
    project.run("dvc", "repro")
    for name in EXPERTS:
        rows = pq.read_table(project.root / "data" / "features" / name).to_pylist()
        found = {(row["trailer_id"], row["clip"]) for row in rows}
        assert found == set(product(TRAILERS, range(SHOTS - 2)))
        vectors = np.array([row["embedding"] for row in rows])
        width = get_expert(name).width
        assert vectors.shape[1:] == ((1, width) if name == "vggish" else (width,))
        assert np.isfinite(vectors).all()
        assert {row["padded"] for row in rows} == {PADDED[name]}
        assert len(np.unique(vectors, axis=0)) == SHOTS - 2
    assert (project.root / "reports" / "index.html").is_file()
