"""Samples from artefacts: the right pictures, in order, few of them held at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mmx.experts.base import ExpertError
from mmx.experts.item import EmbedJob
from mmx.experts.logmel import PATCH_SAMPLES, log_mel_patches
from mmx.experts.reading import read_samples
from mmx.experts.registry import get_expert
from mmx.experts.samples import Plan, assemble, chosen_sampling, plan
from mmx.experts.sampling import Frames, Stacks
from mmx.media.clip import Clip
from mmx.media.faults import MediaFault
from mmx.media.frames import read_frames
from mmx.media.wav import read_wav
from mmx.params import EmbedParams, ExpertEntry

FPS = 25


def numbered(*indices: int) -> Iterator[tuple[int, np.ndarray]]:
    """A stream of pictures that show their own index."""
    return ((index, np.array([index])) for index in indices)


def test_frames_are_handed_over_as_they_are() -> None:
    plans = [Plan(np.array([[1], [3]]), 0), Plan(np.array([[7]]), 0)]
    samples = list(assemble(plans, numbered(1, 3, 7), stacked=False))
    assert [(s.row, s.data.tolist()) for s in samples] == [(0, [1]), (0, [3]), (1, [7])]


def test_stacks_may_overlap_repeat_and_leave_out() -> None:
    plans = [
        Plan(np.array([[0, 1, 2], [2, 3, 4], [9, 10, 11]]), 0),
        Plan(np.array([[20, 21, 21]]), 1),
    ]
    stream = numbered(0, 1, 2, 3, 4, 9, 10, 11, 20, 21)
    samples = list(assemble(plans, stream, stacked=True))
    assert [s.data.ravel().tolist() for s in samples] == [
        [0, 1, 2],
        [2, 3, 4],
        [9, 10, 11],
        [20, 21, 21],
    ]
    assert [s.padded for s in samples] == [0, 0, 0, 1]


def test_a_picture_that_does_not_come_is_an_error() -> None:
    with pytest.raises(IndexError, match="picture 3"):
        list(assemble([Plan(np.array([[0], [3]]), 0)], numbered(0, 1, 2), stacked=False))


def test_pictures_are_read_no_further_than_the_sample_needs() -> None:
    taken = []

    def stream() -> Iterator[tuple[int, np.ndarray]]:
        for index in range(100):
            taken.append(index)
            yield index, np.array([index])

    samples = assemble([plan(Stacks(4, 4), np.arange(100))], stream(), stacked=True)
    for number in range(1, 25):
        next(samples)
        assert len(taken) == 4 * number


@pytest.mark.parametrize(("declared", "expected"), [(None, 5), (0, 0), (2, 2)])
def test_what_the_expert_leaves_open_the_parameters_say(
    declared: int | None, expected: int
) -> None:
    params = EmbedParams(experts={"lite_scene": ExpertEntry(reads="clips")}, frames_per_clip=5)
    assert chosen_sampling(Frames(declared), params) == Frames(expected)
    assert chosen_sampling(Stacks(4, 4), params) == Stacks(4, 4)


def test_samples_of_a_video_are_its_frames(
    video: Callable[..., Path], job: Callable[..., EmbedJob], clips: Callable[..., tuple[Clip, ...]]
) -> None:
    path = video(30)
    expert = get_expert("lite_scene")
    samples = list(read_samples(job("lite_scene", path, clips(10, 1, 19)), expert))
    assert [sample.row for sample in samples] == [0, 0, 0, 1, 2, 2, 2]
    frames = list(read_frames(path, size=(96, 72)))
    for sample, index in zip(samples, [1, 5, 8, 10, 14, 20, 26], strict=True):
        assert np.array_equal(sample.data, frames[index].image)


def naive_resampling(times: Sequence[Fraction], rate: float) -> list[int]:
    """For each instant from the first frame on, the frame nearest to it, the earlier of two."""
    taken, instant = [], Fraction(0)
    while times[0] + instant <= times[-1]:
        distances = [abs(time - times[0] - instant) for time in times]
        nearest = distances.index(min(distances))
        if nearest not in taken:
            taken.append(nearest)
        instant += 1 / Fraction(rate)
    return taken


@pytest.fixture
def uneven(tmp_path: Path) -> Path:
    """A video of 60 numbered grey frames that are shown for 20 to 90 ms each."""
    path = tmp_path / "uneven.mkv"
    pauses = np.random.default_rng(0).integers(20, 90, 60)
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for index, shown in enumerate(np.cumsum(pauses).tolist()):
            grey = np.full((48, 64, 3), 4 * index, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = shown, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("rate", [0.9, 5, 12.5, 25, 100])
def test_at_a_rate_frames_are_the_nearest_in_time_and_none_twice(
    rate: float, uneven: Path, job: Callable[..., EmbedJob], clips: Callable[..., tuple[Clip, ...]]
) -> None:
    cut = clips(7, 40, 13)
    expert = replace(get_expert("lite_scene"), sampling=Frames(0))
    samples = list(read_samples(job("lite_scene", uneven, cut, rate=rate), expert))
    frames = list(read_frames(uneven, size=(96, 72)))
    expected = []
    for row, clip in enumerate(cut):
        times = [frame.time for frame in frames[clip.start : clip.stop]]
        expected += [(row, clip.start + at) for at in naive_resampling(times, rate)]
    assert [sample.row for sample in samples] == [row for row, _ in expected]
    for sample, (_, index) in zip(samples, expected, strict=True):
        assert np.array_equal(sample.data, frames[index].image)
    assert (len(samples) == 60) == (rate == 100)


def test_stacks_are_of_the_frames_at_the_rate_and_padded_where_these_are_few(
    video: Callable[..., Path], job: Callable[..., EmbedJob], clips: Callable[..., tuple[Clip, ...]]
) -> None:
    path = video(100)
    expert = replace(get_expert("lite_scene"), sampling=Stacks(8, 8, "align"))
    samples = list(read_samples(job("lite_scene", path, clips(75, 25), rate=5), expert))
    assert [(s.row, s.padded) for s in samples] == [(0, 0), (0, 0), (1, 3)]
    frames = [frame.image for frame in read_frames(path, size=(96, 72))]
    starts_and_ends = [(0, 35), (35, 70), (75, 95)]
    for sample, (first, last) in zip(samples, starts_and_ends, strict=True):
        assert np.array_equal(sample.data[0], frames[first])
        assert np.array_equal(sample.data[-1], frames[last])


def test_a_rate_is_refused_where_no_frames_are_read() -> None:
    assert ExpertEntry(modality="motion", reads="clips", rate=12.5).rate == 12.5
    for reads in ("flow", "audio"):
        with pytest.raises(ValueError, match=r"flow has flow\.rate"):
            ExpertEntry(modality="motion", reads=reads, rate=25)


def test_a_broken_video_is_a_fault(
    tmp_path: Path, job: Callable[..., EmbedJob], clips: Callable[..., tuple[Clip, ...]]
) -> None:
    path = tmp_path / "text.mp4"
    path.write_text("no video")
    with pytest.raises(MediaFault):
        list(read_samples(job("lite_scene", path, clips(9)), get_expert("lite_scene")))


def test_samples_of_flow_are_its_images_and_stillness_where_there_is_none(
    flow: Callable[..., Path], job: Callable[..., EmbedJob], clips: Callable[..., tuple[Clip, ...]]
) -> None:
    path = flow({0: 2, 3: 1}, size=(48, 64))
    still = replace(get_expert("lite_motion"), sampling=Frames(0))
    samples = list(read_samples(job("lite_motion", path, clips(3, 1, 1, 2, 1)), still))
    assert [(s.row, s.padded) for s in samples] == [(0, 0), (0, 0), (1, 1), (2, 1), (3, 0), (4, 1)]
    for sample in samples:
        assert (sample.padded == 1) == (sample.data == 128).all()


def test_stacks_of_flow_repeat_the_last_image(
    flow: Callable[..., Path], job: Callable[..., EmbedJob], clips: Callable[..., tuple[Clip, ...]]
) -> None:
    path = flow({0: 3, 2: 9}, size=(48, 64))
    expert = replace(get_expert("lite_motion"), sampling=Stacks(8, 8, "align"))
    samples = list(read_samples(job("lite_motion", path, clips(4, 1, 10)), expert))
    assert [(s.row, s.padded) for s in samples] == [(0, 5), (1, 8), (2, 0), (2, 0)]
    assert all(sample.data.shape == (8, 48, 64, 2) for sample in samples)
    first, still, early, late = (sample.data for sample in samples)
    assert (first[2:] == first[2]).all()
    assert not np.array_equal(first[1], first[2])
    assert (still == 128).all()
    assert np.array_equal(early[1:], late[:-1])


def test_a_clip_shorter_than_a_patch_includes_its_neighbours(
    wav: Callable[..., Path], job: Callable[..., EmbedJob], clips: Callable[..., tuple[Clip, ...]]
) -> None:
    path = wav(3 * 16000)
    sound = read_wav(path)
    samples = list(
        read_samples(job("lite_audio", path, clips(30, 5, 40)), get_expert("lite_audio"))
    )
    assert [(s.row, s.padded) for s in samples] == [(0, 0), (1, PATCH_SAMPLES - 3200), (2, 0)]
    begin = (19200 + 22400 - PATCH_SAMPLES) // 2
    assert np.array_equal(samples[1].data, log_mel_patches(sound, np.array([begin])))
    assert samples[1].data.shape == (1, 96, 64)


def test_sound_shorter_than_a_patch_is_followed_by_silence(
    wav: Callable[..., Path], job: Callable[..., EmbedJob], clips: Callable[..., tuple[Clip, ...]]
) -> None:
    [sample] = read_samples(job("lite_audio", wav(8000), clips(10)), get_expert("lite_audio"))
    assert sample.padded == PATCH_SAMPLES - 6400
    assert (sample.data[0, 55:] == np.float32(np.log(0.01))).all()


def test_a_silent_trailer_has_no_samples(
    job: Callable[..., EmbedJob], clips: Callable[..., tuple[Clip, ...]]
) -> None:
    assert list(read_samples(job("lite_audio", None, clips(9, 9)), get_expert("lite_audio"))) == []


def test_a_declaration_that_cannot_be_read_is_refused(
    wav: Callable[..., Path], job: Callable[..., EmbedJob], clips: Callable[..., tuple[Clip, ...]]
) -> None:
    expert = replace(get_expert("lite_audio"), sampling=Frames(0))
    with pytest.raises(ExpertError, match="sampled as patches"):
        read_samples(job("lite_audio", wav(16000), clips(9)), expert)
