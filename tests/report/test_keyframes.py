import base64
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from mmx.media.clip import Clip
from mmx.report import keyframes

CLIPS = [Clip(i, 10 * i, 10 * i + 10, i / 2, i / 2 + 0.5) for i in range(6)]
"""Clip i is gray, 40 i bright."""


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keyframes") / "steps.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=20)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        for clip in CLIPS:
            picture = np.full((36, 64, 3), 40 * clip.index, np.uint8)
            for _ in range(clip.length):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    return path


def decode(url: str) -> np.ndarray:
    assert url.startswith("data:image/jpeg;base64,")
    data = np.frombuffer(base64.b64decode(url.split(",")[1]), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert picture is not None
    return picture


@pytest.mark.parametrize(
    ("count", "wanted", "expected"),
    [(6, 3, [1, 3, 5]), (10, 2, [2, 7]), (3, 5, [0, 1, 2]), (0, 4, []), (7, 1, [3])],
)
def test_positions_are_spread(count: int, wanted: int, expected: list[int]) -> None:
    assert keyframes.evenly_spaced(count, wanted) == expected


def test_key_frames_are_the_middles_of_clips(video: Path) -> None:
    pictures = [decode(url) for url in keyframes.key_frames(video, CLIPS, 3, 32)]
    assert [p.shape for p in pictures] == [(18, 32, 3)] * 3
    assert [p.mean() for p in pictures] == pytest.approx([40, 120, 200], abs=3)


def test_key_frames_are_the_same_each_time(video: Path) -> None:
    first, second = (keyframes.key_frames(video, CLIPS, 2, 32) for _ in range(2))
    assert first == second


def test_a_video_that_cannot_be_read_has_no_pictures(tmp_path: Path, video: Path) -> None:
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(b"ffconcat version 1.0\n")
    videos = {"a": video, "b": broken, "c": tmp_path / "absent.mkv", "d": video}
    clips = {"a": CLIPS, "b": CLIPS, "c": CLIPS, "d": []}
    found = keyframes.key_frames_of(videos, clips, 2, 32)
    assert list(found) == ["a"]
    assert len(found["a"]) == 2
