"""Pictures and sound stay together whatever a file's clock does, by coded films."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
from coded_film import Film, make
from imageio_ffmpeg import get_ffmpeg_exe
from read_back import assert_right, see

from mmx.media.faults import DEFAULT_LIMITS, MediaFault
from mmx.media.probe import probe
from mmx.media.scan import scan
from mmx.media.timeline import Timeline, Track, build_timeline

MPEG2 = Film(video="mpeg2video", video_options={"b": "1000000", "bf": "2"}, sound="mp2")
VOB = replace(MPEG2, sound="ac3", format="vob")
H264 = Film()
SILENT = Film(sound=None)
SECOND = 60
"""Frames of the first recording."""


@pytest.fixture
def join(tmp_path: Path) -> Callable[..., Path]:
    """Put two recordings one after the other, byte by byte, as `cat` does."""

    def joined(first: Film, second: Film, name: str = "a.ts") -> Path:
        one, two, path = (tmp_path / f"{part}-{name}" for part in ("1", "2", "12"))
        make(one, replace(first, frames=SECOND))
        make(two, replace(second, first=SECOND, frames=SECOND))
        path.write_bytes(one.read_bytes() + two.read_bytes())
        return path

    return joined


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [
        pytest.param(H264, H264, "a.ts", id="the clock starts again"),
        pytest.param(MPEG2, MPEG2, "a.ts", id="the same with MPEG-2"),
        pytest.param(VOB, VOB, "a.vob", id="two VOBs"),
        pytest.param(H264, H264, "a.mkv", id="two Matroska files"),
        pytest.param(H264, replace(H264, offset=2.4), "a.ts", id="the clock runs on"),
        pytest.param(H264, replace(H264, offset=2.32), "a.ts", id="an overlap of 80 ms"),
        pytest.param(MPEG2, replace(MPEG2, offset=2.36), "a.ts", id="an overlap of a frame"),
        pytest.param(H264, replace(H264, offset=36000), "a.ts", id="ten hours later"),
        pytest.param(replace(H264, offset=90000), H264, "a.ts", id="a day earlier"),
        pytest.param(H264, replace(H264, size=(384, 192)), "a.ts", id="another size, from zero"),
        pytest.param(
            H264, replace(H264, size=(384, 192), offset=2.4), "a.ts", id="another size, running on"
        ),
        pytest.param(
            MPEG2, replace(MPEG2, size=(384, 192), offset=2.4), "a.ts", id="sizes in MPEG-2"
        ),
        pytest.param(
            replace(H264, sound="ac3", layout="stereo"),
            replace(H264, sound="ac3", layout="5.1", offset=2.4),
            "a.ts",
            id="AC3 2.0 to 5.1",
        ),
        pytest.param(
            replace(H264, sound="mp2"),
            replace(H264, sound="mp2", layout="stereo", offset=2.4),
            "a.ts",
            id="mono to stereo",
        ),
        pytest.param(
            replace(H264, sound="mp2"),
            replace(H264, sound="mp2", rate=44100, offset=2.4),
            "a.ts",
            id="48 to 44.1 kHz",
        ),
        pytest.param(H264, replace(H264, rate=44100, layout="stereo"), "a.ts", id="AAC changes"),
    ],
)
def test_two_recordings_are_one_film(
    join: Callable[..., Path], first: Film, second: Film, name: str
) -> None:
    assert_right(see(join(first, second, name)), 120, 4)


def test_a_joined_silent_film_is_one_film_too(join: Callable[..., Path]) -> None:
    assert_right(see(join(SILENT, replace(SILENT, offset=500))), 120, 0)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.ts"])
def test_a_clock_that_starts_late_is_no_length(tmp_path: Path, name: str) -> None:
    assert_right(see(make(tmp_path / name, replace(H264, offset=80000))), 50, 1)


def test_three_recordings(tmp_path: Path) -> None:
    parts = [
        make(tmp_path / f"{i}.ts", Film(first=40 * i, frames=40, offset=offset)).read_bytes()
        for i, offset in enumerate((7.0, 3000.0, 0.48))
    ]
    path = tmp_path / "a.ts"
    path.write_bytes(b"".join(parts))
    seen = see(path)
    assert_right(seen, 120, 4)
    assert seen.probe.timeline.count("+") + seen.probe.timeline.count("-") >= 4


@pytest.mark.parametrize("name", ["a.flv", "a.wmv", "a.mp4"])
def test_what_the_demuxer_does_not_read_on_is_named(join: Callable[..., Path], name: str) -> None:
    windows = Film(video="wmv2", video_options={}, sound="wmav2", rate=44100, layout="stereo")
    film = windows if name == "a.wmv" else H264
    with pytest.raises(MediaFault) as caught:
        probe(join(film, film, name))
    assert caught.value.code == ("joined" if name == "a.mp4" else "truncated")


def remuxed(source: Path, path: Path, late: Callable[[str, float], float]) -> Path:
    """Copy packets, each later by `late(kind of stream, seconds)`."""
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        streams = [new.add_stream_from_template(stream) for stream in old.streams]
        for packet in old.demux():
            if packet.size == 0 or packet.pts is None or packet.time_base is None:
                continue
            seconds = late(packet.stream.type, float(packet.pts * packet.time_base))
            ticks = round(Fraction(seconds) / packet.time_base)
            packet.pts += ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
            packet.stream = streams[packet.stream_index]
            new.mux(packet)
    return path


def test_sound_a_day_later_is_left_out(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", Film(frames=100))
    path = remuxed(
        source, tmp_path / "far.mkv", lambda kind, t: 86400 * (kind == "audio" and t > 2.5)
    )
    seen = see(path)
    assert (len(seen.numbers), len(seen.heard)) == (100, 2)
    assert seen.sound_s < 4 and max(map(abs, seen.late)) < 0.02


def test_a_gap_in_the_sound_is_silence_of_its_length(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", Film(frames=100, sound="mp2"))
    path = tmp_path / "gap.mkv"
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        streams = [new.add_stream_from_template(stream) for stream in old.streams]
        for packet in old.demux():
            lost = packet.stream.type == "audio" and 1.4 < (packet.pts or 0) / 1000 < 1.49
            if packet.size and not lost:
                packet.stream = streams[packet.stream_index]
                new.mux(packet)
    assert_right(see(path), 100, 3)


def test_a_pause_that_sound_fills_is_no_jump(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", Film(frames=1))
    long = tmp_path / "b.mkv"
    sound = ["-f", "lavfi", "-i", "sine=f=300:d=25"]
    picture = ["-loop", "1", "-f", "lavfi", "-i", "color=s=96x64:r=1/12:d=25"]
    command = [get_ffmpeg_exe(), "-v", "error", *picture[2:], *sound, "-fps_mode", "vfr", long]
    subprocess.run([*command[:-1], "-c:v", "libx264", "-threads", "1", long], check=True)
    assert probe(long).duration_from_content > 20 and probe(long).timeline == ""
    assert probe(source).timeline == ""


def test_the_timeline_is_the_same_for_every_reader(join: Callable[..., Path]) -> None:
    path = join(H264, H264)
    one, two = (scan(path, DEFAULT_LIMITS) for _ in range(2))
    assert one.timeline == two.timeline
    assert one.timeline.pictures == ((60, Fraction(12, 5)),)
    assert str(one.timeline).startswith("pictures 60:+2.4 s; sound ")


def track(*spans: tuple[int, int], step: int = 40, place: int = 0) -> Track:
    """Return a track of milliseconds with spans (start, packets), one place in the file each."""
    made = Track(Fraction(1, 1000), Fraction(step, 1000))
    for start, count in spans:
        for n in range(count):
            time = start + n * step
            made.pts.append(time)
            made.dts.append(time)
            made.lasts.append(step)
            made.places.append(2 * len(made.places) + place)
            made.keys.append(n == 0)
    return made


class TestBuild:
    def test_an_even_clock_needs_nothing(self) -> None:
        assert build_timeline(track((0, 50)), track((0, 50), place=1)) == Timeline()

    def test_jitter_of_the_sound_is_not_added_up(self) -> None:
        sound = track((0, 20), (795, 20), (1590, 20))
        assert build_timeline(track((0, 60)), sound) == Timeline()

    def test_sound_that_alone_goes_back_runs_on(self) -> None:
        found = build_timeline(track((0, 60)), track((0, 30), (0, 30), place=1))
        assert found == Timeline(sound=((30, Fraction(6, 5)),))

    def test_a_late_packet_that_is_no_key_picture_starts_nothing(self) -> None:
        pictures = track((0, 60))
        pictures.dts[30] = pictures.dts[29]
        assert build_timeline(pictures, None) == Timeline()

    def test_a_jump_that_only_pictures_make_is_a_pause(self) -> None:
        pictures, sound = track((0, 30), (60_000, 30)), track((0, 2000), place=1)
        assert build_timeline(pictures, sound) == Timeline()

    def test_sound_that_begins_with_the_second_recording(self) -> None:
        pictures, sound = track((0, 30), (0, 30)), track((0, 30), place=61)
        assert build_timeline(pictures, sound).sound == ((0, Fraction(6, 5)),)

    def test_no_times_at_all(self) -> None:
        pictures = track((0, 5))
        pictures.pts[:] = pictures.dts[:] = type(pictures.pts)("q", [-(1 << 63)] * 5)
        assert build_timeline(pictures, None) == Timeline()
