"""Which files are refused, with which code, by every reader in the same way."""

import errno
import os
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import av
import pytest
from av.stream import Stream
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmx.media import source as source_module
from mmx.media.audio import extract_audio
from mmx.media.faults import Limits, MediaFault
from mmx.media.frames import read_frames
from mmx.media.packets import read_packets
from mmx.media.probe import probe
from mmx.media.source import as_media_fault, open_video

if TYPE_CHECKING:
    from tests.media.conftest import Program, Shelf


READERS: dict[str, Callable[[Path], object]] = {
    "probe": probe,
    "frames": lambda path: list(read_frames(path)),
    "audio": lambda path: extract_audio(path, path.parent / "out.wav", rate=16000),
}


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> Callable[[Path], object]:
    return READERS[request.param]


def code_of(reader: Callable[[Path], object], path: Path) -> str:
    with pytest.raises(MediaFault) as caught:
        reader(path)
    assert str(path.parent) not in str(caught.value) and path.name not in str(caught.value)
    return caught.value.code


class TestNotAVideo:
    @pytest.mark.parametrize(
        "text",
        [
            "ffconcat version 1.0\nfile '{other}'\n",
            "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:{other}\n#EXT-X-ENDLIST\n",
            "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
            "This is a text that somebody named .mp4.\n" * 100,
        ],
        ids=["ffconcat", "m3u8", "sdp", "prose"],
    )
    @pytest.mark.parametrize("name", ["film.mp4", "film.m3u8", "nameless"])
    def test_a_text_is_refused_whatever_its_content(
        self, reader: Callable[[Path], object], text: str, name: str, shelf: "Shelf", tmp_path: Path
    ) -> None:
        path = tmp_path / name
        path.write_text(text.format(other=shelf["plain.mp4"]))
        assert code_of(reader, path) == "container"

    def test_the_attack_succeeds_without_the_whitelist(
        self, shelf: "Shelf", tmp_path: Path
    ) -> None:
        path = tmp_path / "a.mp4"
        path.write_text(f"ffconcat version 1.0\nfile {shelf['plain.mp4'].name}\n")
        (tmp_path / shelf["plain.mp4"].name).symlink_to(shelf["plain.mp4"])
        with av.open(str(path)) as container:
            assert container.format.name == "concat"
            assert len(list(container.decode(video=0))) == 25

    def test_random_bytes(self, reader: Callable[[Path], object], tmp_path: Path) -> None:
        path = tmp_path / "a.mkv"
        path.write_bytes(bytes((i * 7919) % 251 for i in range(50_000)))
        assert code_of(reader, path) == "container"

    def test_an_empty_file(self, reader: Callable[[Path], object], tmp_path: Path) -> None:
        (tmp_path / "a.mp4").touch()
        assert code_of(reader, tmp_path / "a.mp4") == "empty"

    def test_a_folder(self, reader: Callable[[Path], object], tmp_path: Path) -> None:
        (tmp_path / "a.mp4").mkdir()
        assert code_of(reader, tmp_path / "a.mp4") == "not-a-file"

    def test_a_pipe_that_nobody_writes_to(
        self, reader: Callable[[Path], object], tmp_path: Path
    ) -> None:
        os.mkfifo(tmp_path / "a.mp4")
        assert code_of(reader, tmp_path / "a.mp4") == "not-a-file"

    @pytest.mark.parametrize("suffix", ["png", "wav", "gif"])
    def test_other_media(
        self, reader: Callable[[Path], object], suffix: str, program: "Program", tmp_path: Path
    ) -> None:
        path = tmp_path / f"a.{suffix}"
        source = "sine=d=1" if suffix == "wav" else "testsrc2=s=64x64:r=5:d=1"
        program.run("-f", "lavfi", "-i", source, *["-frames:v", "1"] * (suffix == "png"), path)
        assert code_of(reader, path) == "container"

    def test_sound_without_video(
        self, reader: Callable[[Path], object], program: "Program", tmp_path: Path
    ) -> None:
        program.run("-f", "lavfi", "-i", "sine=d=1", tmp_path / "a.m4a")
        assert code_of(reader, tmp_path / "a.m4a") == "no-video"

    def test_cover_art_is_not_a_video(
        self, reader: Callable[[Path], object], program: "Program", tmp_path: Path
    ) -> None:
        path = tmp_path / "a.mp4"
        sources = ["-f", "lavfi", "-i", "sine=d=1", "-f", "lavfi", "-i", "color=s=64x64:d=1:r=1"]
        cover = ["-c:v", "mjpeg", "-frames:v", "1", "-disposition:v", "attached_pic"]
        program.run(*sources, "-map", "0", "-map", "1", *cover, path)
        assert code_of(reader, path) == "no-video"

    def test_cover_art_beside_a_video_is_ignored(
        self, program: "Program", shelf: "Shelf", tmp_path: Path
    ) -> None:
        path = tmp_path / "a.mp4"
        cover = tmp_path / "cover.png"
        program.run("-f", "lavfi", "-i", "color=s=48x48", "-frames:v", "1", cover)
        both: list[str | Path] = [
            "-i",
            cover,
            "-i",
            shelf["plain.mp4"],
            "-map",
            "0",
            "-map",
            "1",
            "-c",
            "copy",
        ]
        program.run(*both, "-disposition:v:0", "attached_pic", path)
        assert len(list(read_frames(path))) == 25

    def test_a_video_stream_without_pictures(
        self, reader: Callable[[Path], object], program: "Program", shelf: "Shelf", tmp_path: Path
    ) -> None:
        program.remux(shelf["plain.mp4"], tmp_path / "a.avi", lambda _, n: None)
        assert code_of(reader, tmp_path / "a.avi") == "no-frames"

    @pytest.mark.parametrize("codec", [b"avc1", b"sowt"])
    def test_an_unknown_codec(
        self,
        reader: Callable[[Path], object],
        codec: bytes,
        program: "Program",
        shelf: "Shelf",
        tmp_path: Path,
    ) -> None:
        path = tmp_path / "a.mov"
        program.run("-i", shelf["sound.mp4"], "-c:v", "copy", "-c:a", "pcm_s16le", path)
        path.write_bytes(path.read_bytes().replace(codec, b"xyz1"))
        assert code_of(reader, path) == "no-decoder"


class TestTruncated:
    @pytest.mark.parametrize(
        "name", ["packed.avi", "unordered.avi", "flash.flv", "edited.mp4", "fullrange.mov"]
    )
    @pytest.mark.parametrize("share", [0.3, 0.9])
    def test_half_a_file_is_a_fault_everywhere(
        self,
        reader: Callable[[Path], object],
        name: str,
        share: float,
        shelf: "Shelf",
        tmp_path: Path,
    ) -> None:
        whole = shelf[name].read_bytes()
        path = tmp_path / name
        path.write_bytes(whole[: int(share * len(whole))])
        # QuickTime's table of contents is at the end: without it there is nothing to read.
        expected = "container" if name.endswith(("mp4", "mov")) else "truncated"
        assert code_of(reader, path) == expected

    @pytest.mark.parametrize("muxer", ["a.mp4 -movflags +faststart", "a.mkv", "a.webm", "a.avi"])
    def test_an_index_at_the_start_does_not_hide_it(
        self, reader: Callable[[Path], object], muxer: str, program: "Program", tmp_path: Path
    ) -> None:
        name, *options = muxer.split()
        codec = "libvpx" if name == "a.webm" else "libx264"
        sources = [
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=96x64:r=25:d=5",
            "-f",
            "lavfi",
            "-i",
            "sine=d=5",
        ]
        program.run(*sources, "-c:v", codec, "-deadline:v", "realtime", *options, tmp_path / name)
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: int(0.6 * len(whole))])
        assert code_of(reader, tmp_path / name) == "truncated"


class TestDamaged:
    def test_a_packet_that_the_decoder_refuses(
        self, program: "Program", shelf: "Shelf", tmp_path: Path
    ) -> None:
        path = tmp_path / "a.mkv"
        program.remux(shelf["plain.mp4"], path, lambda _, n: b"\xff" * 99 if n == 12 else True)
        for reader in (probe, READERS["frames"]):
            assert code_of(reader, path) == "damaged"

    def test_a_picture_that_the_decoder_conceals(self, program: "Program", tmp_path: Path) -> None:
        path = tmp_path / "a.mpg"
        scene = ["-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=2"]
        program.run(*scene, "-c:v", "mpeg2video", "-b:v", "4M", path)
        whole = bytearray(path.read_bytes())
        middle = len(whole) // 2
        whole[middle : middle + 3000] = bytes(3000)
        path.write_bytes(whole)
        assert code_of(READERS["frames"], path) == "damaged"

    def test_an_interlaced_picture_too_small_for_the_filter(
        self, program: "Program", tmp_path: Path
    ) -> None:
        path = tmp_path / "a.mkv"
        scene = ["-f", "lavfi", "-i", "color=red:s=16x2:r=25:d=1"]
        program.run(*scene, "-vf", "setfield=tff", "-c:v", "ffv1", "-flags", "+ildct", path)
        assert code_of(READERS["frames"], path) == "damaged"


def test_a_stream_that_appears_during_reading_is_ignored(shelf: "Shelf") -> None:
    """PyAV flushes every stream found so far, but lists only those found at the start."""

    def demux(streams: list[Stream]) -> Iterator["av.Packet[Stream]"]:
        yield from source.container.demux(streams)
        raise IndexError("list index out of range")

    with open_video(shelf["late.ts"], Limits()) as source:
        grown: Any = SimpleNamespace(format=source.container.format, demux=demux)
        packets = list(read_packets(replace(source, container=grown)))
        assert [packet.size > 0 for packet in packets] == [True] * 25 + [False]


class TestLimits:
    def test_too_long_by_the_header_is_refused(self, shelf: "Shelf") -> None:
        for call in (probe, lambda p, limits: list(read_frames(p, limits=limits))):
            with pytest.raises(MediaFault) as caught:
                call(shelf["plain.mp4"], limits=Limits(max_seconds=0.9))
            assert caught.value.code == "too-long"

    def test_too_long_by_the_times_without_a_header(
        self, program: "Program", tmp_path: Path
    ) -> None:
        path = tmp_path / "a.mkv"
        scene = ["-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=2"]
        program.run(*scene, "-c:v", "libx264", "-f", "matroska", "-live", "1", path)
        assert probe(path).duration_from_header is None
        assert probe(path).duration_from_content == 2.0
        for call in (probe, lambda p, limits: list(read_frames(p, limits=limits))):
            with pytest.raises(MediaFault) as caught:
                call(path, limits=Limits(max_seconds=1.5))
            assert caught.value.code == "too-long"

    @pytest.mark.parametrize("name", ["plain.mp4", "wide.mp4"])
    def test_the_largest_picture_allowed(self, shelf: "Shelf", name: str) -> None:
        pixels = 96 * 64 if name == "plain.mp4" else 128 * 64
        assert probe(shelf[name], Limits(max_pixels=pixels)).height == 64
        for call in (probe, lambda p, limits: list(read_frames(p, limits=limits))):
            with pytest.raises(MediaFault) as caught:
                call(shelf[name], limits=Limits(max_pixels=pixels - 1))
            assert caught.value.code == "too-large"

    def test_a_picture_that_grows_within_the_file(self, program: "Program", tmp_path: Path) -> None:
        parts = []
        for number, size in enumerate(["96x64", "640x480"]):
            part = tmp_path / f"{number}.ts"
            program.run(
                "-f", "lavfi", "-i", f"color=red:s={size}:r=25:d=0.4", "-c:v", "libx264",
                "-threads", "1", "-output_ts_offset", str(0.4 * number), part,
            )  # fmt: skip
            parts.append(part.read_bytes())
        path = tmp_path / "a.ts"
        path.write_bytes(b"".join(parts))
        with pytest.raises(MediaFault) as caught:
            list(read_frames(path, limits=Limits(max_pixels=640 * 480 - 1)))
        assert caught.value.code == "too-large"


class TestFaultOrFailure:
    def test_a_missing_file_is_a_failure(
        self, reader: Callable[[Path], object], tmp_path: Path
    ) -> None:
        with pytest.raises(FileNotFoundError):
            reader(tmp_path / "a.mp4")

    def test_a_broken_link_is_a_failure(
        self, reader: Callable[[Path], object], tmp_path: Path
    ) -> None:
        (tmp_path / "a.mp4").symlink_to(tmp_path / "b.mp4")
        with pytest.raises(FileNotFoundError):
            reader(tmp_path / "a.mp4")

    def test_a_link_is_followed(self, shelf: "Shelf", tmp_path: Path) -> None:
        (tmp_path / "a.mp4").symlink_to(shelf["sound.mp4"])
        assert probe(tmp_path / "a.mp4") == probe(shelf["sound.mp4"])
        assert len(list(read_frames(tmp_path / "a.mp4"))) == 25

    def test_lack_of_memory_on_the_machine_is_a_failure(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(source_module, "HEADROOM", 1 << 62)
        with pytest.raises(MemoryError), as_media_fault(tmp_path / "a", MediaFault("damaged", "x")):
            raise av.error.MemoryError(errno.ENOMEM, "no memory")

    def test_a_header_that_asks_for_all_memory_is_a_fault(self, tmp_path: Path) -> None:
        with (
            pytest.raises(MediaFault, match=r"^x$"),
            as_media_fault(tmp_path / "a", MediaFault("damaged", "x")),
        ):
            raise av.error.MemoryError(errno.ENOMEM, "no memory")

    def test_an_unreadable_disk_is_a_failure(
        self, monkeypatch: pytest.MonkeyPatch, shelf: "Shelf"
    ) -> None:
        def fail(path: Path) -> None:
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(source_module, "_read_through", fail)
        with (
            pytest.raises(OSError) as caught,
            as_media_fault(shelf["plain.mp4"], MediaFault("damaged", "x")),
        ):
            raise av.error.OSError(errno.EIO, "Input/output error")
        assert caught.value.errno == errno.EIO

    def test_other_errors_of_a_decoder_are_faults(self, shelf: "Shelf") -> None:
        with (
            pytest.raises(MediaFault, match=r"^x$"),
            as_media_fault(shelf["plain.mp4"], MediaFault("damaged", "x")),
        ):
            raise av.error.OSError(errno.EIO, "Input/output error")

    def test_an_error_of_the_caller_passes_through(self, shelf: "Shelf") -> None:
        with pytest.raises(ZeroDivisionError), open_video(shelf["plain.mp4"], Limits()):
            raise ZeroDivisionError

    def test_a_fault_can_be_pickled(self) -> None:
        fault = pickle.loads(pickle.dumps(MediaFault("empty", "the file is empty")))
        assert (fault.code, str(fault)) == ("empty", "the file is empty")


@settings(
    max_examples=40, derandomize=True, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    name=st.sampled_from(["sound.mp4", "gap.mkv", "packed.avi", "late.ts", "flash.flv"]),
    share=st.floats(0, 1),
    change=st.binary(min_size=1, max_size=40),
    cut=st.booleans(),
)
def test_any_bytes_give_frames_or_a_fault(
    shelf: "Shelf", tmp_path: Path, name: str, share: float, change: bytes, cut: bool
) -> None:
    data = bytearray(shelf[name].read_bytes())
    at = int(share * (len(data) - 1))
    data[at : at + (0 if cut else len(change))] = change
    path = tmp_path / name
    path.write_bytes(data)
    for reader in READERS.values():
        try:
            reader(path)
        except MediaFault as fault:
            assert fault.code and "/" not in fault.message
