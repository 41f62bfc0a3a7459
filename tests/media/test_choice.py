"""The right streams of several are read, and what there is besides is recorded."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from coded_film import Film, make
from read_back import assert_right, see

from mmx.media.probe import probe

if TYPE_CHECKING:
    from tests.media.conftest import Program

FILM = Film(frames=60)
SMALL = Film(frames=60, size=(96, 48), first=300, sound=None)
TONE = ["-f", "lavfi", "-i", "sine=f=300:r=48000:d=2.4"]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("films")
    return {
        "film": make(folder / "film.mkv", FILM),
        "small": make(folder / "small.mkv", SMALL),
    }


@pytest.fixture
def mux(program: "Program", films: dict[str, Path], tmp_path: Path) -> Callable[..., Path]:
    """Put a small film, a tone and the film into one file; options choose and name the streams."""

    def muxed(name: str, *options: str) -> Path:
        path = tmp_path / name
        inputs: list[str | Path] = ["-i", films["small"], *TONE, "-i", films["film"]]
        program.run(*inputs, *options, "-c:v", "copy", path)
        return path

    return muxed


ALL = ("-map", "0:v", "-map", "1:a", "-map", "2:v", "-map", "2:a", "-c:a", "aac")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("a.mkv", "-disposition:v:0 0 -disposition:v:1 default -disposition:a:0 0 "
                     "-disposition:a:1 default", id="the default one"),
        pytest.param("a.mkv", "-disposition:v 0 -disposition:a:0 comment -disposition:a:1 0",
                     id="the largest, and no commentary"),
        pytest.param("a.mkv", "-disposition:v 0 -disposition:a 0 -metadata:s:a:0 "
                     "title=Commentary", id="no commentary by its title"),
        pytest.param("a.mp4", "-disposition:v default -disposition:a:0 visual_impaired "
                     "-disposition:a:1 default", id="no description"),
        pytest.param("a.ts", "-program program_num=1:st=0:st=1 -program program_num=2:st=2:st=3",
                     id="pictures and sound of one programme"),
    ],
)  # fmt: skip
def test_the_film_is_read(mux: Callable[..., Path], name: str, options: str) -> None:
    seen = see(mux(name, *ALL, *options.split()))
    assert_right(seen, 60, 2)
    assert (seen.probe.video_stream, seen.probe.audio_stream) == (2, 3)


def test_a_small_default_track_is_what_its_maker_wants(mux: Callable[..., Path]) -> None:
    path = mux("a.mkv", *ALL, "-disposition:v:0", "default", "-disposition:v:1", "0")
    assert probe(path).width == 96


def test_a_commentary_alone_is_better_than_silence(mux: Callable[..., Path]) -> None:
    path = mux("a.mkv", *ALL[:6], "-c:a", "aac", "-disposition:a:0", "comment")
    assert probe(path).audio_stream == 1


def test_all_streams_are_described(mux: Callable[..., Path]) -> None:
    options = "-disposition:v:0 0 -disposition:v:1 default -disposition:a:0 0"
    path = mux("a.mkv", *ALL, *options.split(), "-disposition:a:1", "default")
    assert probe(path).streams == (
        "0 video h264 96x48; 1 audio aac 48000 Hz mono; "
        "*2 video h264 192x96 default; *3 audio aac 48000 Hz mono default"
    )


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, program: "Program") -> Callable[..., Path]:
    folder = tmp_path_factory.mktemp("recorded")

    def made(name: str, sound: str, *options: str) -> Path:
        inputs = ["-f", "lavfi", "-i", "color=s=64x64:d=0.5", "-f", "lavfi", "-i", sound]
        program.run(*inputs, "-c:v", "libx264", "-c:a", "pcm_s16le", *options, folder / name)
        return folder / name

    return made


class TestRecorded:
    def test_the_centre_alone_is_lower_than_mono(self, scene: Callable[..., Path]) -> None:
        wave = "0.5*sin(2*PI*500*t)"
        mono = probe(scene("mono.mkv", f"aevalsrc={wave}:d=0.5:s=48000"))
        quiet = "|".join(["0", "0", wave, "0", "0", "0"])
        centre = probe(scene("centre.mkv", f"aevalsrc={quiet}:d=0.5:s=48000:c=5.1", "-c:a", "flac"))
        assert mono.sound_peak == pytest.approx(0.5, abs=0.01)
        assert mono.sound_rms == pytest.approx(0.354, abs=0.01)
        assert mono.sound_channel_rms == pytest.approx(centre.sound_channel_rms, abs=1e-4)
        assert centre.sound_peak is not None and centre.sound_peak < 0.2
        assert (centre.audio_layout, centre.audio_channels) == ("5.1", 6)

    def test_channels_that_cancel_out_are_found(self, scene: Callable[..., Path]) -> None:
        found = probe(scene("anti.mkv", "aevalsrc=0.5*sin(3000*t)|-0.5*sin(3000*t):d=0.5:c=stereo"))
        assert found.sound_peak == 0.0 and found.sound_rms == 0.0
        assert found.sound_channel_rms == pytest.approx(0.354, abs=0.01)

    @pytest.mark.parametrize(
        ("transfer", "name"), [("smpte2084", "SMPTE2084"), ("arib-std-b67", "ARIB_STD_B67")]
    )
    def test_high_dynamic_range_is_findable(
        self, scene: Callable[..., Path], transfer: str, name: str
    ) -> None:
        path = scene(f"{name}.mkv", "anullsrc=d=0.5", "-vf", f"setparams=color_trc={transfer}")
        assert probe(path).color_transfer == name

    def test_the_order_of_fields(self, scene: Callable[..., Path]) -> None:
        assert probe(scene("p.mkv", "anullsrc=d=0.5")).field_order == "progressive"
        fields = ["-vf", "setfield=tff", "-flags", "+ildct+ilme"]
        assert probe(scene("t.mkv", "anullsrc=d=0.5", *fields)).field_order in ("tt", "tb")
