"""Whole or named: loss and damage of pictures and sound, and no false alarm."""

import random
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import av
import pytest
from coded_film import Film, make
from read_back import assert_right, see

from mmx.media.faults import Limits, MediaFault
from mmx.media.probe import probe

if TYPE_CHECKING:
    from tests.media.conftest import Program

TS = 188


def code_of(path: Path) -> str:
    with pytest.raises(MediaFault) as caught:
        probe(path)
    return caught.value.code


def damaged(source: Path, path: Path, change: Callable[[int, bytes], bytes], kind: str) -> Path:
    """Copy a file's packets; `change(n, bytes)` gives packet n of a kind other bytes, or none."""
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        streams = [new.add_stream_from_template(stream) for stream in old.streams]
        count = 0
        for packet in old.demux():
            if packet.size == 0:
                continue
            if packet.stream.type == kind:
                data = change(count, bytes(packet))
                count += 1
                if not data:
                    continue
                copy = av.Packet(data)
                copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
                copy.time_base, copy.is_keyframe = packet.time_base, packet.is_keyframe
                packet, index = copy, packet.stream_index
            else:
                index = packet.stream_index
            packet.stream = streams[index]
            new.mux(packet)
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("sound")
    films: dict[str, Path] = {}

    def made(codec: str) -> Path:
        if codec not in films:
            path = folder / f"{codec}.mkv"
            films[codec] = make(path, Film(frames=75, sound=codec))
        return films[codec]

    return made


class TestSound:
    @pytest.mark.parametrize(
        ("codec", "size"),
        [("aac", 1024), ("libmp3lame", 1152), ("ac3", 1536), ("eac3", 1536), ("flac", 4608)],
    )
    def test_a_second_of_inverted_bytes(
        self, source: Callable[[str], Path], tmp_path: Path, codec: str, size: int
    ) -> None:
        clean = source(codec)
        assert probe(clean).concealed_sound == 0
        second = 48000 // size

        def invert(n: int, data: bytes) -> bytes:
            return bytes(255 - x for x in data) if second <= n < 2 * second else data

        path = damaged(clean, tmp_path / "a.mkv", invert, "audio")
        assert code_of(path) == "concealed"
        found = probe(path, Limits(max_concealed=0.5))
        assert found.concealed_sound >= second - 1

    def test_random_bytes_in_a_third_of_the_packets(
        self, source: Callable[[str], Path], tmp_path: Path
    ) -> None:
        rng = random.Random(7)
        path = damaged(
            source("aac"),
            tmp_path / "a.mkv",
            lambda n, data: rng.randbytes(len(data)) if n % 3 == 1 else data,
            "audio",
        )
        assert code_of(path) == "concealed"

    def test_a_checksum_notices_one_bit(
        self, source: Callable[[str], Path], tmp_path: Path
    ) -> None:
        def flip(n: int, data: bytes) -> bytes:
            return data[:40] + bytes([data[40] ^ 1]) + data[41:] if n == 20 else data

        for codec in ("ac3", "flac"):
            path = damaged(source(codec), tmp_path / f"{codec}.mkv", flip, "audio")
            assert probe(path, Limits(max_concealed=0.5)).concealed_sound == 1
            seen = see(path, Limits(max_concealed=0.5))
            assert max(map(abs, seen.late)) < 0.02


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("ts") / "a.ts"
    return make(path, Film(frames=250, video_options={"preset": "ultrafast"})).read_bytes()


@pytest.mark.parametrize(
    ("name", "film", "known"),
    [
        ("a.wmv", Film(video="wmv2", video_options={}, sound="wmav2", rate=44100), False),
        ("a.mkv", Film(sound="pcm_s16le"), False),
        ("a.mkv", Film(sound="libopus", layout="stereo"), False),
        ("a.mkv", Film(sound="aac"), True),
        ("a.mkv", Film(sound=None), None),
    ],
)
def test_whether_damage_to_the_sound_is_known(
    tmp_path: Path, name: str, film: Film, known: bool | None
) -> None:
    """Where it is not, inverted bytes are decoded to another sound and nothing is refused."""
    source = make(tmp_path / name, film)
    assert probe(source).sound_damage_known is known
    if known is False:
        half = lambda n, data: data[:16] + bytes(255 - x for x in data[16:]) if n > 5 else data  # noqa: E731
        found = probe(damaged(source, tmp_path / f"b{name}", half, "audio"))
        assert found.concealed_sound == 0 and found.sound_damage_known is False


class TestTransportStream:
    def test_lost_packets(self, whole: bytes, tmp_path: Path) -> None:
        count = len(whole) // TS
        lost = set(random.Random(1).sample(range(50, count), 12))
        path = tmp_path / "a.ts"
        path.write_bytes(
            b"".join(whole[i * TS : (i + 1) * TS] for i in range(count) if i not in lost)
        )
        assert code_of(path) == "concealed"
        with pytest.raises(MediaFault, match=r"of 2\d\d pictures are damaged or missing"):
            probe(path)

    @pytest.mark.parametrize("share", [0.5, 0.9])
    def test_a_tail_of_zeros(self, whole: bytes, tmp_path: Path, share: float) -> None:
        kept = int(share * len(whole)) // TS * TS
        path = tmp_path / "a.ts"
        path.write_bytes(whole[:kept] + bytes(len(whole) - kept))
        assert code_of(path) in ("truncated", "damaged", "concealed")


@pytest.mark.parametrize(
    ("name", "film"),
    [
        ("a.flv", Film(frames=72)),
        ("a.wmv", Film(frames=72, video="wmv2", video_options={}, sound=None)),
        ("a.mpg", Film(frames=72, video="mpeg2video", video_options={}, sound="mp2")),
        ("a.avi", Film(frames=72, video="mpeg4", video_options={}, sound=None)),
    ],
)
def test_pictures_that_a_demuxer_skips(tmp_path: Path, name: str, film: Film) -> None:
    """Four packets less than were recorded; in AVI the index still names them."""
    source = make(tmp_path / f"whole-{name}", film)
    assert probe(source).frames_from_content == 72
    if name == "a.avi":
        path = tmp_path / name
        path.write_bytes(_without_chunks(source.read_bytes(), range(30, 34)))
    else:
        keep: Callable[[int, bytes], bytes] = lambda n, data: b"" if 30 <= n < 34 else data  # noqa: E731
        path = damaged(source, tmp_path / name, keep, "video")
    assert code_of(path) in ("concealed", "damaged", "truncated")


@pytest.mark.parametrize("name", ["a.mpg", "a.vob"])
@pytest.mark.parametrize("picture", [0, 10, 22, 34])
def test_a_key_picture_that_leaves_no_gap_in_the_times(
    tmp_path: Path, name: str, picture: int
) -> None:
    """Program streams give few pictures a time; the numbers in the pictures show the loss."""
    options = {"b": "1000000", "bf": "2"}
    film = Film(frames=36, video="mpeg2video", video_options=options, sound="mp2")
    source = make(tmp_path / name, film)
    assert_right(see(source), 36, 1)
    data = bytearray(source.read_bytes())
    start = [found.start() for found in re.finditer(rb"\x00\x00\x01\x00", data)][picture]
    data[start : start + 4] = b"\xff" * 4
    source.write_bytes(data)
    assert code_of(source) == "concealed"
    found = probe(source, Limits(max_concealed=0.5))
    assert (found.frames_from_content, found.concealed_pictures) == (35, 1)


def test_a_cut_before_a_key_picture_is_no_loss(tmp_path: Path) -> None:
    """Two pictures that are shown before the key picture of an open group were left out."""
    film = Film(frames=36, video="mpeg2video", video_options={"g": "12", "bf": "2"}, sound=None)
    source = make(tmp_path / "a.mkv", film)
    path = damaged(source, tmp_path / "b.mkv", lambda n, d: b"" if n < 10 or 11 <= n < 13 else d,
                   "video")  # fmt: skip
    assert probe(path).concealed_pictures == 0


def _without_chunks(data: bytes, lost: range) -> bytes:
    """Overwrite the names of some chunks of pictures, so that the demuxer does not know them."""
    changed, at, count = bytearray(data), data.find(b"movi") + 4, 0
    while (name := data[at : at + 4]) in (b"00dc", b"01wb"):
        (size,) = struct.unpack("<I", data[at + 4 : at + 8])
        if name == b"00dc":
            if count in lost:
                changed[at : at + 4] = b"JUNK"
            count += 1
        at += 8 + size + size % 2
    return bytes(changed)


class TestNoFalseAlarm:
    @pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
    def test_subtitles_that_outlast_the_pictures(
        self, program: "Program", tmp_path: Path, name: str
    ) -> None:
        film = make(tmp_path / "film.mkv", Film(frames=60))
        titles = tmp_path / "a.srt"
        titles.write_text("1\n00:00:01,000 --> 00:00:09,000\nThe end\n", encoding="utf-8")
        codec = "mov_text" if name == "a.mp4" else "srt"
        copy = ["-map", "0", "-map", "1", "-c", "copy", "-c:s", codec]
        program.run("-i", film, "-i", titles, *copy, tmp_path / name)
        assert_right(see(tmp_path / name), 60, 2)

    @pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.flv"])
    def test_sound_that_outlasts_the_pictures(
        self, program: "Program", tmp_path: Path, name: str
    ) -> None:
        film = make(tmp_path / "film.mkv", Film(frames=60))
        tone = ["-f", "lavfi", "-i", "sine=f=300:d=6"]
        second = ["-map", "0:v", "-map", "0:a", "-map", "1:a"] if name != "a.flv" else []
        chosen = second or ["-map", "0:v", "-map", "1:a"]
        path = tmp_path / name
        program.run("-i", film, *tone, *chosen, "-c:v", "copy", "-c:a", "aac", path)
        assert probe(path).frames_from_content == 60

    def test_few_damaged_pictures_are_counted(self, tmp_path: Path) -> None:
        film = Film(frames=150, video="mpeg2video", video_options={"g": "5"}, sound=None)
        source = make(tmp_path / "a.ts", film)
        path = damaged(source, tmp_path / "b.ts", lambda n, d: b"" if n == 74 else d, "video")
        found = probe(path)
        assert (found.concealed_pictures, found.holes) == (1, 1)
        assert found.frames_from_content == 149

    @pytest.mark.parametrize(
        ("name", "options", "known"),
        [
            ("a.mp4", {}, True),
            ("f.mp4", {"movflags": "frag_keyframe+empty_moov"}, False),
            ("a.mkv", {}, True),
            ("live.mkv", {"live": "1"}, False),
            ("a.flv", {}, True),
            ("a.ts", {}, False),
        ],
    )
    def test_whether_the_end_is_known(
        self, tmp_path: Path, name: str, options: dict[str, str], known: bool
    ) -> None:
        path = make(tmp_path / name, replace(Film(frames=30), muxer=options))
        assert probe(path).end_known is known
