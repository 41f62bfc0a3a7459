"""The flow step's share of one trailer, on a made-up video of two clips whose motion is known."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from mmx.flow.item import FILE, flow_item, short_side_size
from mmx.flow.quantise import dequantise
from mmx.flow.store import FlowReader, read_flow
from mmx.media.clip import Clip
from mmx.media.faults import Limits, MediaFault
from mmx.params import FlowParams

SPEEDS = [(1.0, 0.0), (-0.5, 1.5)]
FRAMES = 6
SHOWN = 128, 96
"""Width and height."""
EVERY = 4
"""Hundredths of a second from frame to frame."""


def clip(index: int, start: int, stop: int) -> Clip:
    return Clip(index, start, stop, start * EVERY / 100, stop * EVERY / 100)


CLIPS = [clip(0, 0, FRAMES), clip(1, FRAMES, 2 * FRAMES), clip(2, 2 * FRAMES, 2 * FRAMES + 1)]


@pytest.fixture(scope="module")
def video(kit: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of six frames, textures that move by SPEEDS, then a clip of a single frame."""
    x, y = kit.grid(*reversed(SHOWN))
    frames = [
        kit.as_uint8(kit.texture(x - n * dx, y - n * dy, seed))
        for seed, (dx, dy) in enumerate(SPEEDS)
        for n in range(FRAMES)
    ]
    frames.append(frames[0])
    times = [EVERY * n for n in range(len(frames))]
    path = tmp_path_factory.mktemp("video") / "x.mkv"
    kit.write_video(path, frames, times)
    return path


def run(
    video: Path, out: Path, clips: list[Clip] = CLIPS, device: str = "cpu", **params: Any
) -> tuple[dict[str, Any], list[Any]]:
    section = FlowParams.model_validate({"short_side": 96, **params})
    facts = flow_item(
        video=video,
        shown=SHOWN,
        clips=clips,
        params=section,
        limits=Limits(),
        out=out,
        device=device,
    )
    return facts, list(read_flow(out / FILE))


def middle(image: np.ndarray) -> np.ndarray:
    """The movement in the middle of an image, away from what comes in at the edges."""
    movement: np.ndarray = np.median(dequantise(image, 20.0)[24:-24, 24:-24], axis=(0, 1))
    return movement


def test_every_pair_inside_a_clip_and_none_across(video: Path, tmp_path: Path) -> None:
    facts, flows = run(video, tmp_path)
    assert facts == {"pairs": 10, "clips_without_flow": 1, "height": 96, "width": 128}
    assert [(flow.clip, flow.prev_index, flow.next_index) for flow in flows] == [
        *[(0, n, n + 1) for n in range(5)],
        *[(1, n, n + 1) for n in range(6, 11)],
    ]
    for flow in flows:
        assert np.abs(middle(flow.image) - SPEEDS[flow.clip]).max() < 40 / 255


def test_pairs_per_clip(video: Path, tmp_path: Path) -> None:
    facts, flows = run(video, tmp_path, pairs_per_clip=2)
    assert facts["pairs"] == 4
    assert [flow.prev_index for flow in flows] == [1, 3, 7, 9]


def test_rate_takes_the_nearest_frames(video: Path, tmp_path: Path) -> None:
    """12.5 per second of a clip at 25: every other frame, and twice the movement."""
    _, flows = run(video, tmp_path, rate=12.5)
    assert [(flow.prev_index, flow.next_index) for flow in flows] == [
        (0, 2),
        (2, 4),
        (6, 8),
        (8, 10),
    ]
    for flow in flows:
        assert np.abs(middle(flow.image) - 2 * np.array(SPEEDS[flow.clip])).max() < 40 / 255


def test_flow_is_computed_on_resized_frames(video: Path, tmp_path: Path) -> None:
    facts, flows = run(video, tmp_path, clips=CLIPS[:1], short_side=48)
    assert (facts["height"], facts["width"]) == (48, 64)
    assert np.abs(middle(np.kron(flows[0].image, np.ones((2, 2, 1)))) - [0.5, 0.0]).max() < 40 / 255


def test_crop_is_the_middle_of_the_whole(video: Path, tmp_path: Path) -> None:
    kept = {}
    for keep in ("full", "crop224"):
        out = tmp_path / keep
        out.mkdir()
        one: dict[str, Any] = {"clips": [clip(0, 0, 2)], "short_side": 240}
        kept[keep] = run(video, out, **one, keep=keep)[1][0].image
    assert kept["full"].shape == (240, 320, 2)
    assert np.array_equal(kept["crop224"], kept["full"][8:232, 48:272])


def test_bound_and_solver_take_their_parameters(video: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    one: dict[str, Any] = {"clips": [clip(0, 0, 2)]}
    usual = run(video, tmp_path / "a", **one)[1][0].image
    changed: dict[str, Any] = {"bound": 4.0, "lambda": 0.5}
    other = run(video, tmp_path / "b", **one, **changed)[1][0].image
    with FlowReader(tmp_path / "b" / FILE) as reader:
        assert reader.header.bound == 4.0
    assert abs(np.median(usual[..., 0]) - 134) <= 1
    assert abs(np.median(other[..., 0]) - 159) <= 2


def test_equal_videos_give_equal_bytes(video: Path, tmp_path: Path) -> None:
    contents = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        run(video, tmp_path / name, clips=CLIPS[:1])
        contents.append((tmp_path / name / FILE).read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.slow
def test_pytorch_computes_on_another_device(video: Path, tmp_path: Path) -> None:
    """`cpu:0` is the CPU as PyTorch names it."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    compiled = run(video, tmp_path / "a", pairs_per_clip=1)[1]
    batched = run(video, tmp_path / "b", pairs_per_clip=1, device="cpu:0")[1]
    assert [flow.prev_index for flow in compiled] == [flow.prev_index for flow in batched]
    for one, other in zip(compiled, batched, strict=True):
        off = np.abs(one.image.astype(int) - other.image) > 1
        assert off.mean() < 0.01


def test_no_clips_give_an_empty_file(video: Path, tmp_path: Path) -> None:
    facts, flows = run(video, tmp_path, clips=[])
    assert (facts["pairs"], flows) == (0, [])


def test_a_broken_video_is_a_fault_of_the_input(video: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(video.read_bytes()[:1000] + b"and nothing more")
    with pytest.raises(MediaFault):
        run(broken, tmp_path)


def test_opencvs_threads_are_left_as_they_were(video: Path, tmp_path: Path) -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    run(video, tmp_path, clips=[])
    assert cv2.getNumThreads() == 3
    cv2.setNumThreads(before)


@pytest.mark.parametrize(
    ("size", "short_side", "expected"),
    [
        ((1920, 1080), 256, (455, 256)),
        ((1080, 1920), 256, (256, 455)),
        ((480, 204), 224, (527, 224)),
        ((300, 300), 64, (64, 64)),
        ((1279, 541), 256, (605, 256)),
    ],
)
def test_short_side_size(size: tuple[int, int], short_side: int, expected: tuple[int, int]) -> None:
    assert short_side_size(*size, short_side) == expected
