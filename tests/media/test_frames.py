from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from av import VideoFrame

from mmx.media import frames as frames_module
from mmx.media.faults import Limits, MediaFault
from mmx.media.frames import read_frames

if TYPE_CHECKING:
    from tests.media.conftest import Odd, Program, Shelf


def images(path: Path, **options: Any) -> np.ndarray:
    return np.stack([frame.image for frame in read_frames(path, **options)])


class TestOddFiles:
    def test_pictures_equal_the_programs_bit_for_bit(
        self, odd: "Odd", shelf: "Shelf", program: "Program"
    ) -> None:
        expected = program.show(shelf[odd.name], odd)
        assert len(expected) > 20
        found = images(shelf[odd.name])
        assert found.shape == expected.shape
        wrong = [i for i, (a, b) in enumerate(zip(found, expected, strict=True)) if (a != b).any()]
        assert wrong == []

    def test_times_equal_the_programs_exactly(
        self, odd: "Odd", shelf: "Shelf", program: "Program"
    ) -> None:
        found = [frame.time for frame in read_frames(shelf[odd.name])]
        evenly = [Fraction(i, 25) for i in range(25)]
        assert found == (program.times(shelf[odd.name]) if odd.times else evenly)

    def test_indices_count_and_times_increase(self, odd: "Odd", shelf: "Shelf") -> None:
        found = list(read_frames(shelf[odd.name]))
        assert [frame.index for frame in found] == list(range(len(found)))
        assert found[0].time == 0
        assert all(a.time < b.time for a, b in pairwise(found))
        assert all(frame.duration > 0 for frame in found)


@pytest.mark.parametrize("name", ["plain.mp4", "vp8.webm", "av1.webm", "packed.avi", "late.ts"])
def test_decoder_threads_change_nothing(name: str, shelf: "Shelf") -> None:
    with av.open(str(shelf[name])) as container:
        container.streams.video[0].thread_type = "AUTO"
        container.streams.video[0].codec_context.thread_count = 4
        threaded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert np.array_equal(images(shelf[name]), np.stack(threaded))


def test_times_of_a_constant_rate(shelf: "Shelf") -> None:
    times = [frame.time for frame in read_frames(shelf["ntsc.mkv"], [0, 1, 2])]
    assert times == [Fraction(0), Fraction(42, 1000), Fraction(83, 1000)]  # Matroska rounds to ms


def test_a_pause_shows_in_the_times_alone(shelf: "Shelf") -> None:
    frames = list(read_frames(shelf["gap.mkv"], [11, 12]))
    assert frames[1].time - frames[0].time == Fraction(204, 100)


class TestWanted:
    @pytest.mark.parametrize("wanted", [[0], [24], [3, 4, 5], [20, 1, 7, 7], range(0, 25, 6)])
    def test_yields_the_wanted_frames_in_order(
        self, shelf: "Shelf", wanted: list[int] | range
    ) -> None:
        everything = images(shelf["plain.mp4"])
        found = list(read_frames(shelf["plain.mp4"], wanted))
        assert [frame.index for frame in found] == sorted(set(wanted))
        assert all(np.array_equal(frame.image, everything[frame.index]) for frame in found)

    def test_interlaced_frames_do_not_depend_on_what_is_wanted(self, shelf: "Shelf") -> None:
        everything = images(shelf["field.ts"])
        for frame in read_frames(shelf["field.ts"], [5, 9]):
            assert np.array_equal(frame.image, everything[frame.index])

    def test_only_the_wanted_frames_are_converted(
        self, shelf: "Shelf", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        converted = []
        convert = frames_module._FrameConverter.convert

        def count(self: Any, frame: VideoFrame) -> np.ndarray:
            converted.append(frame)
            return convert(self, frame)

        monkeypatch.setattr(frames_module._FrameConverter, "convert", count)
        assert len(list(read_frames(shelf["plain.mp4"], [2, 9]))) == len(converted) == 2

    def test_nothing_is_decoded_after_the_last(
        self, program: "Program", shelf: "Shelf", tmp_path: Path
    ) -> None:
        path = tmp_path / "a.mkv"
        program.remux(shelf["plain.mp4"], path, lambda _, n: b"\xff" * 99 if n == 12 else True)
        assert [frame.index for frame in read_frames(path, [0, 3])] == [0, 3]
        with pytest.raises(MediaFault):
            list(read_frames(path))

    def test_none_wanted_yields_none(self, shelf: "Shelf") -> None:
        assert list(read_frames(shelf["plain.mp4"], [])) == []

    def test_a_frame_past_the_end_is_an_error_of_the_caller(self, shelf: "Shelf") -> None:
        with pytest.raises(IndexError, match="frame 25 is wanted of a video of 25 frames"):
            list(read_frames(shelf["plain.mp4"], [0, 25]))


class TestPixels:
    def test_images_are_contiguous_bytes(self, shelf: "Shelf") -> None:
        for name, shape in [("right.mp4", (96, 64, 3)), ("over.mp4", (64, 96, 3))]:
            image = next(read_frames(shelf[name])).image
            assert image.dtype == np.uint8 and image.shape == shape
            assert image.flags.c_contiguous

    def test_gray_is_the_luma_of_the_same_picture(self, shelf: "Shelf") -> None:
        colour = images(shelf["right.mp4"]).astype(np.float64)
        luma = colour @ [0.299, 0.587, 0.114]
        gray = images(shelf["right.mp4"], pixels="gray")
        assert gray.shape == colour.shape[:3]
        assert np.abs(gray - luma).max() <= 0.51

    @pytest.mark.parametrize("name", ["plain.mp4", "right.mp4", "wide.mp4", "field.ts"])
    def test_size_is_of_the_picture_as_shown(
        self, shelf: "Shelf", program: "Program", name: str
    ) -> None:
        smaller = replace(shelf.row(name), shown=(41, 30))
        expected = program.show(shelf[name], smaller)
        assert np.array_equal(images(shelf[name], size=(41, 30)), expected)

    def test_a_frame_shows_its_shape_and_not_its_pixels(self, shelf: "Shelf") -> None:
        assert repr(next(read_frames(shelf["plain.mp4"]))) == "Frame(0, 0.000 s, (64, 96, 3))"


class TestChangesWithinAFile:
    def test_interlaced_pictures_after_progressive_ones(
        self, shelf: "Shelf", program: "Program", tmp_path: Path
    ) -> None:
        """From the second interlaced picture on, the filter has the same input as the program's."""
        smooth, woven = tmp_path / "smooth.ts", tmp_path / "woven.ts"
        scene = ["-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=0.4"]
        mpeg = ["-c:v", "mpeg2video", "-q:v", "2", "-bf", "0", "-threads", "1"]
        program.run(*scene, *mpeg, smooth)
        weave = ["-vf", "setfield=tff", "-flags", "+ildct+ilme", "-output_ts_offset", "0.4"]
        program.run(*scene, *weave, *mpeg, woven)
        path = tmp_path / "both.ts"
        path.write_bytes(smooth.read_bytes() + woven.read_bytes())
        raw = _stored(path)
        assert [interlaced for _, interlaced in raw] == [False] * 10 + [True] * 10
        raw_bytes = program.run(
            "-i", path, "-vf", "yadif=mode=send_frame:deint=interlaced", "-fps_mode",
            "passthrough", "-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1",
        )  # fmt: skip
        expected = np.frombuffer(raw_bytes, np.uint8).reshape(20, 64, 96, 3)
        found = images(path)
        assert np.array_equal(found[:10], np.stack([image for image, _ in raw[:10]]))
        assert np.array_equal(found[11:], expected[11:])
        assert not np.array_equal(found[11:], np.stack([image for image, _ in raw[11:]]))

    def test_the_first_size_holds_where_the_size_changes(
        self, program: "Program", tmp_path: Path
    ) -> None:
        parts = []
        for number, size in enumerate(["96x64", "64x48"]):
            part = tmp_path / f"{number}.ts"
            program.run(
                "-f", "lavfi", "-i", f"color=red:s={size}:r=25:d=0.4", "-c:v", "libx264",
                "-bf", "0", "-threads", "1", "-output_ts_offset", str(0.4 * number), part,
            )  # fmt: skip
            parts.append(part.read_bytes())
        path = tmp_path / "sizes.ts"
        path.write_bytes(b"".join(parts))
        found = images(path)
        assert found.shape == (20, 64, 96, 3)
        assert np.abs(found[19].astype(int) - found[0]).max() <= 2


def _stored(path: Path) -> list[tuple[np.ndarray, bool]]:
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return [(frame.to_ndarray(format="rgb24"), frame.interlaced_frame) for frame in frames]


def test_equal_times_are_spaced_by_the_duration(
    program: "Program", shelf: "Shelf", tmp_path: Path
) -> None:
    ticks = {0: 0, 1: 40, 2: 40, 3: 40, 4: 200, 5: 240}
    program.remux(shelf["grey.mkv"], tmp_path / "a.mkv", lambda _, n: ticks.get(n))
    times = [frame.time * 1000 for frame in read_frames(tmp_path / "a.mkv")]
    assert times == [0, 40, 80, 120, 200, 240]


def test_the_limit_on_seconds_holds_against_the_times(shelf: "Shelf") -> None:
    assert len(list(read_frames(shelf["plain.mp4"], limits=Limits(max_seconds=1.0)))) == 25
    with pytest.raises(MediaFault, match=r"longer than 0\.5 seconds"):
        list(read_frames(shelf["plain.mp4"], limits=Limits(max_seconds=0.5)))


def test_equal_reads_give_equal_bytes(shelf: "Shelf") -> None:
    assert images(shelf["field264.mp4"]).tobytes() == images(shelf["field264.mp4"]).tobytes()
