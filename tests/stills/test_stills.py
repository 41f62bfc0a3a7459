"""The sheet of a trailer: which frame, which flow and which sound stand in which cell."""

import wave
from pathlib import Path

import av
import numpy as np
import pytest

from mmx.flow.sampling import evenly_spaced
from mmx.flow.store import FlowHeader, FlowPair, FlowWriter
from mmx.media.clip import Clip
from mmx.media.faults import Limits, MediaFault
from mmx.stills.item import FILE, stills_item
from mmx.stills.motion import flow_pictures
from mmx.stills.sheet import Cells, first_frame, fitted, read_picture
from mmx.stills.sound import waves

CLIPS = [Clip(i, 10 * i, 10 * i + 10, i / 2, i / 2 + 0.5) for i in range(6)]
"""Clip i is grey, 40 i bright; its first frame is 20 brighter."""
CELLS = Cells(32)
RATE = 1000


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stills") / "steps.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=20)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        for clip in CLIPS:
            for at in range(clip.length):
                level = 40 * clip.index + (20 if at == 0 else 0)
                picture = np.full((36, 64, 3), level, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clip 1 moves to the right at its middle, down elsewhere; clip 3 rests; clip 5 has no flow."""
    path = tmp_path_factory.mktemp("flow") / "trailer.flow"
    right, down = np.full((36, 64, 2), 128, np.uint8), np.full((36, 64, 2), 128, np.uint8)
    right[..., 0], down[..., 1] = 168, 168
    with FlowWriter(path, FlowHeader(36, 64, 20.0)) as writer:
        for frame, image in ((10, down), (15, right), (18, down)):
            writer.write(FlowPair(1, frame, frame + 1), image)
        writer.write(FlowPair(3, 35, 36), np.full((36, 64, 2), 128, np.uint8))
    return path


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Loud in clip 1, half as loud in clip 3, silent in clip 5."""
    path = tmp_path_factory.mktemp("sound") / "audio.wav"
    level = np.repeat([0, 8000, 0, 4000, 0, 0], RATE // 2).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(level.tobytes())
    return path


def make(video: Path, out: Path, **changed: object) -> dict[str, int]:
    out.mkdir(exist_ok=True)
    given = {"flow": None, "sound": None, "clips": CLIPS, "count": 3, "cells": CELLS, **changed}
    return stills_item(video=video, rate=RATE, limits=Limits(), out=out, **given)  # type: ignore[arg-type]


def cell(sheet: np.ndarray, column: int, top: int, height: int) -> np.ndarray:
    return sheet[top : top + height, column * CELLS.width : (column + 1) * CELLS.width]


@pytest.mark.parametrize(
    ("count", "wanted", "expected"),
    [(6, 3, [1, 3, 5]), (10, 2, [2, 7]), (3, 5, [0, 1, 2]), (0, 4, []), (7, 1, [3])],
)
def test_positions_are_spread(count: int, wanted: int, expected: list[int]) -> None:
    assert evenly_spaced(count, wanted) == expected


def test_each_column_has_frame_flow_and_sound_of_a_clip(
    video: Path, flow: Path, sound: Path, tmp_path: Path
) -> None:
    assert make(video, tmp_path, flow=flow, sound=sound) == {"clips": 3}
    sheet = read_picture(tmp_path / FILE)
    assert sheet is not None
    height, wave_height = CELLS.height, CELLS.wave
    assert sheet.shape == (2 * height + wave_height, 3 * CELLS.width, 3)
    frames = [cell(sheet, at, 0, height).mean() for at in range(3)]
    assert frames == pytest.approx([40, 120, 200], abs=4)
    red, _, blue = cell(sheet, 0, height, height).mean(axis=(0, 1))
    assert red > 200 and blue < 120  # to the right
    assert cell(sheet, 1, height, height).max() < 30 and cell(sheet, 2, height, height).max() < 30
    inked = [(cell(sheet, at, 2 * height, wave_height) > 90).mean() for at in range(3)]
    assert inked[0] > 0.9 and 0.5 < inked[1] < 0.8 and inked[2] < 0.4


def test_a_preview_has_frames_from_the_beginning_of_each_clip(video: Path, tmp_path: Path) -> None:
    make(video, tmp_path, cells=Cells(32, previews=2))
    sheet = read_picture(tmp_path / FILE)
    assert sheet is not None
    top = 2 * CELLS.height + CELLS.wave
    shown = [cell(sheet, 1, top + at * CELLS.height, CELLS.height).mean() for at in range(2)]
    assert shown == pytest.approx([140, 120], abs=4)


def test_equal_inputs_give_equal_bytes(video: Path, flow: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        make(video, tmp_path / name, flow=flow)
    assert (tmp_path / "one" / FILE).read_bytes() == (tmp_path / "two" / FILE).read_bytes()


def test_without_clips_there_is_no_sheet(video: Path, tmp_path: Path) -> None:
    assert make(video, tmp_path, clips=[]) == {"clips": 0}
    assert list(tmp_path.iterdir()) == []


def test_a_video_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(b"ffconcat version 1.0\n")
    with pytest.raises(MediaFault):
        make(broken, tmp_path / "out")


def test_the_flow_nearest_to_the_middle_is_drawn(flow: Path) -> None:
    drawn = flow_pictures(flow, {1: 17, 5: 55})
    assert list(drawn) == [1]
    green, blue = drawn[1].mean(axis=(0, 1))[1:]
    assert green > blue  # frame 18: down


def test_sound_shorter_than_its_clip_is_silent_there() -> None:
    [drawn] = waves(np.zeros(0, np.int16), RATE, CLIPS[:1], CELLS)
    assert drawn.shape == (CELLS.wave, CELLS.width, 3) and (drawn > 0).mean() < 0.4


@pytest.mark.parametrize("shape", [(36, 20, 3), (10, 64, 3), (18, 32, 3)])
def test_a_picture_is_whole_in_its_cell(shape: tuple[int, int, int]) -> None:
    found = fitted(np.full(shape, 255, np.uint8), CELLS)
    assert found.shape == (CELLS.height, CELLS.width, 3)
    lit = found[..., 0] > 0
    down, across = lit.any(axis=1).sum(), lit.any(axis=0).sum()
    assert across / down == pytest.approx(shape[1] / shape[0], rel=0.15)


def test_a_file_that_is_no_picture_has_no_first_frame(tmp_path: Path) -> None:
    assert first_frame(tmp_path / "absent.webp", CELLS) is None
    (tmp_path / "text.webp").write_text("text")
    assert first_frame(tmp_path / "text.webp", CELLS) is None
