"""What is refused, with which word, and that every reader refuses alike."""

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
from mmx.media.pictures import read_packets
from mmx.media.probe import probe
from mmx.media.source import blame, open_video

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


class TestWhatIsNoVideo:
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
    def test_a_text_is_refused_whatever_it_says(
        self, reader: Callable[[Path], object], text: str, name: str, shelf: "Shelf", tmp_path: Path
    ) -> None:
        path = tmp_path / name
        path.write_text(text.format(other=shelf["plain.mp4"]))
        assert code_of(reader, path) == "container"

    def test_the_attack_would_work_without_the_whitelist(
        self, shelf: "Shelf", tmp_path: Path
    ) -> None:
        path = tmp_path / "a.mp4"
        path.write_text(f"ffconcat version 1.0\nfile {shelf['plain.mp4'].name}\n")
        (tmp_path / shelf["plain.mp4"].name).symlink_to(shelf["plain.mp4"])
        with av.open(str(path)) as container:
            assert container.format.name == "concat"
            assert len(list(container.decode(video=0))) == 25

    def test_bytes_at_random(self, reader: Callable[[Path], object], tmp_path: Path) -> None:
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

    def test_sound_alone(
        self, reader: Callable[[Path], object], program: "Program", tmp_path: Path
    ) -> None:
        program.run("-f", "lavfi", "-i", "sine=d=1", tmp_path / "a.m4a")
        assert code_of(reader, tmp_path / "a.m4a") == "no-video"

    def test_a_cover_is_no_film(
        self, reader: Callable[[Path], object], program: "Program", tmp_path: Path
    ) -> None:
        path = tmp_path / "a.mp4"
        sources = ["-f", "lavfi", "-i", "sine=d=1", "-f", "lavfi", "-i", "color=s=64x64:d=1:r=1"]
        cover = ["-c:v", "mjpeg", "-frames:v", "1", "-disposition:v", "attached_pic"]
        program.run(*sources, "-map", "0", "-map", "1", *cover, path)
        assert code_of(reader, path) == "no-video"

    def test_a_film_with_a_cover_is_the_film(
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

    def test_a_film_without_pictures(
        self, reader: Callable[[Path], object], program: "Program", shelf: "Shelf", tmp_path: Path
    ) -> None:
        program.remux(shelf["plain.mp4"], tmp_path / "a.avi", lambda _, n: None)
        assert code_of(reader, tmp_path / "a.avi") == "no-frames"

    @pytest.mark.parametrize("codec", [b"avc1", b"sowt"])
    def test_a_codec_that_nobody_knows(
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
    def test_a_table_of_contents_does_not_hide_it(
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
    def test_a_packet_that_no_decoder_takes(
        self, program: "Program", shelf: "Shelf", tmp_path: Path
    ) -> None:
        path = tmp_path / "a.mkv"
        program.remux(shelf["plain.mp4"], path, lambda _, n: b"\xff" * 99 if n == 12 else True)
        assert probe(path).frames_from_content == 25
        assert code_of(READERS["frames"], path) == "damaged"

    def test_a_picture_that_the_decoder_had_to_invent(
        self, program: "Program", tmp_path: Path
    ) -> None:
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
        scene = ["-f", "lavfi", "-i", "color=red:s=32x2:r=25:d=1"]
        program.run(*scene, "-vf", "setfield=tff", "-c:v", "ffv1", "-flags", "+ildct", path)
        assert probe(path).interlaced
        assert code_of(READERS["frames"], path) == "damaged"


def test_a_stream_that_appears_on_the_way_ends_nothing(shelf: "Shelf") -> None:
    """PyAV flushes every stream that there is by then, and lists those there were at the start."""

    def demux(streams: list[Stream]) -> Iterator["av.Packet[Stream]"]:
        yield from source.container.demux(streams)
        raise IndexError("list index out of range")

    with open_video(shelf["late.ts"], Limits()) as source:
        grown: Any = SimpleNamespace(format=source.container.format, demux=demux)
        packets = list(read_packets(replace(source, container=grown)))
        assert [packet.size > 0 for packet in packets] == [True] * 25 + [False]


class TestLimits:
    def test_a_header_that_claims_too_long_is_enough(self, shelf: "Shelf") -> None:
        for call in (probe, lambda p, limits: list(read_frames(p, limits=limits))):
            with pytest.raises(MediaFault) as caught:
                call(shelf["plain.mp4"], limits=Limits(max_seconds=0.9))
            assert caught.value.code == "too-long"

    def test_times_beyond_the_limit_without_a_header(
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

    def test_a_picture_that_grows_on_the_way(self, program: "Program", tmp_path: Path) -> None:
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


class TestWhoIsToBlame:
    def test_a_missing_file_is_the_machines(
        self, reader: Callable[[Path], object], tmp_path: Path
    ) -> None:
        with pytest.raises(FileNotFoundError):
            reader(tmp_path / "a.mp4")

    def test_so_is_a_link_to_nowhere(
        self, reader: Callable[[Path], object], tmp_path: Path
    ) -> None:
        (tmp_path / "a.mp4").symlink_to(tmp_path / "b.mp4")
        with pytest.raises(FileNotFoundError):
            reader(tmp_path / "a.mp4")

    def test_a_link_is_followed(self, shelf: "Shelf", tmp_path: Path) -> None:
        (tmp_path / "a.mp4").symlink_to(shelf["sound.mp4"])
        assert probe(tmp_path / "a.mp4") == probe(shelf["sound.mp4"])
        assert len(list(read_frames(tmp_path / "a.mp4"))) == 25

    def test_want_of_memory_is_the_machines_if_it_has_none(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(source_module, "HEADROOM", 1 << 62)
        with pytest.raises(MemoryError), blame(tmp_path / "a", MediaFault("damaged", "x")):
            raise av.error.MemoryError(errno.ENOMEM, "no memory")

    def test_a_header_that_asks_for_all_memory_is_the_inputs(self, tmp_path: Path) -> None:
        with (
            pytest.raises(MediaFault, match=r"^x$"),
            blame(tmp_path / "a", MediaFault("damaged", "x")),
        ):
            raise av.error.MemoryError(errno.ENOMEM, "no memory")

    def test_an_unreadable_disk_is_the_machines(
        self, monkeypatch: pytest.MonkeyPatch, shelf: "Shelf"
    ) -> None:
        def fail(path: Path) -> None:
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(source_module, "_read_through", fail)
        with (
            pytest.raises(OSError) as caught,
            blame(shelf["plain.mp4"], MediaFault("damaged", "x")),
        ):
            raise av.error.OSError(errno.EIO, "Input/output error")
        assert caught.value.errno == errno.EIO

    def test_what_else_a_decoder_says_is_the_inputs(self, shelf: "Shelf") -> None:
        with (
            pytest.raises(MediaFault, match=r"^x$"),
            blame(shelf["plain.mp4"], MediaFault("damaged", "x")),
        ):
            raise av.error.OSError(errno.EIO, "Input/output error")

    def test_a_mistake_in_the_caller_is_nobodys_fault(self, shelf: "Shelf") -> None:
        with pytest.raises(ZeroDivisionError), open_video(shelf["plain.mp4"], Limits()):
            raise ZeroDivisionError

    def test_a_fault_crosses_processes(self) -> None:
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
def test_whatever_the_bytes_the_end_is_frames_or_a_fault(
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
