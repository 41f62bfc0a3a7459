"""What a file may cost is known before it is decoded, and each bound is named with its reason."""

import mmap
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from coded_film import Film, make
from imageio_ffmpeg import get_ffmpeg_exe

from mmx.experts.overlap import Finished, read_ahead
from mmx.media.audio import extract_audio
from mmx.media.bounded import bounded
from mmx.media.faults import Limits, MediaFault
from mmx.media.frames import read_frames
from mmx.media.meter import Meter
from mmx.media.probe import probe

if TYPE_CHECKING:
    from tests.media.conftest import Program

SMALL = Film(frames=10)


def fault_of(path: Path, **limits: float) -> MediaFault:
    with pytest.raises(MediaFault) as caught:
        probe(path, Limits(**limits))  # type: ignore[arg-type]
    return caught.value


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("budget") / "a.mkv", SMALL)


@pytest.fixture(scope="module")
def scene(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Path]:
    folder = tmp_path_factory.mktemp("scene")

    def made(name: str, source: str, *options: str) -> Path:
        command = [get_ffmpeg_exe(), "-v", "error", "-y", "-f", "lavfi", "-i", source, *options]
        subprocess.run([*command, folder / name], check=True)
        return folder / name

    return made


def test_a_narrow_picture(scene: Callable[..., Path]) -> None:
    fault = fault_of(scene("a.mkv", "color=s=2x800:d=0.2", "-c:v", "mjpeg"))
    assert fault.code == "aspect"
    assert str(fault) == (
        "a picture is 2 x 800 pixels, more than 10 times as long as wide (max_aspect)"
    )


def test_a_narrow_pixel(scene: Callable[..., Path]) -> None:
    fault = fault_of(scene("a.mp4", "color=s=64x64:d=0.2,setsar=1/60", "-c:v", "libx264"))
    assert str(fault) == (
        "a pixel is 1 wide by 60 high, more than 10 times as long as wide (max_aspect)"
    )


def test_a_film_that_becomes_narrow_by_its_pixels(scene: Callable[..., Path]) -> None:
    wide = scene("b.mp4", "color=s=640x80:d=0.2,setsar=4", "-c:v", "libx264")
    assert "2560 x 80 pixels" in str(fault_of(wide))


def test_a_cinema_and_a_telephone_are_no_odd_aspects(scene: Callable[..., Path]) -> None:
    for size in ("552x200", "200x552", "800x100"):
        assert probe(scene(f"{size}.mkv", f"color=s={size}:d=0.2", "-c:v", "ffv1")).width


def test_all_pictures_together(film: Path) -> None:
    pixels = 192 * 96 * 10
    assert probe(film, Limits(max_total_pixels=pixels)).frames_from_content == 10
    fault = fault_of(film, max_total_pixels=pixels - 1)
    assert fault.code == "too-much" and "(max_total_pixels)" in str(fault)


@pytest.mark.parametrize(
    ("limits", "code", "message"),
    [
        ({"max_sound_rate": 44100}, "sound-rate", "48000 samples per second, more than 44100"),
        ({"max_channels": 0}, "channels", "the sound has 1 channels, more than 0"),
    ],
)
def test_sound(film: Path, limits: dict[str, float], code: str, message: str) -> None:
    fault = fault_of(film, **limits)
    assert fault.code == code and message in str(fault)


def test_a_sampling_rate_of_two_gigahertz_is_the_files_fault(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mkv", Film(frames=10, sound="pcm_s16le"))
    whole = path.read_bytes()
    rate = b"\xb5\x88" + struct.pack(">d", 48000.0)
    assert whole.count(rate) == 1
    path.write_bytes(whole.replace(rate, b"\xb5\x88" + struct.pack(">d", 2.0**31 - 1)))
    assert fault_of(path).code == "sound-rate"


def test_an_index_that_names_one_picture_again_and_again(
    program: "Program", tmp_path: Path
) -> None:
    """All places of the table of chunks become that of the first one, each a key picture."""
    path = tmp_path / "a.mov"
    scene = ["-f", "lavfi", "-i", "color=s=64x64:r=25:d=8", "-f", "lavfi", "-i", "anullsrc=d=8"]
    program.run(*scene, "-c:v", "mjpeg", "-c:a", "pcm_s16le", path)
    whole = bytearray(path.read_bytes())
    at = whole.find(b"stco")
    (count,) = struct.unpack(">I", whole[at + 8 : at + 12])
    assert count > 150
    whole[at + 12 : at + 12 + 4 * count] = whole[at + 12 : at + 16] * count
    path.write_bytes(whole)
    fault = fault_of(path)
    assert fault.code == "repeated"
    assert str(fault) == (
        "the file names 102 pictures and holds 1: more than 100 of them are repeated (max_repeats)"
    )


@pytest.mark.parametrize("layout", ["7.1", "5.1"])
def test_channels_in_an_order_of_their_own_do_not_end_the_process(
    scene: Callable[..., Path], layout: str
) -> None:
    """QuickTime's tags of such orders: 128 is MPEG_7_1_C, 124 MPEG_5_1_D."""
    sound = ["-f", "lavfi", "-i", f"anullsrc=cl={layout}:d=0.2"]
    coding = ["-c:v", "libx264", "-c:a", "pcm_s16le"]
    path = scene(f"{layout}.mov", "color=s=64x64:d=0.2", *sound, *coding)
    whole = bytearray(path.read_bytes())
    at = whole.find(b"chan") + 8
    whole[at : at + 4] = {"7.1": (128 << 16 | 8), "5.1": (124 << 16 | 6)}[layout].to_bytes(4, "big")
    path.write_bytes(whole)
    code = (
        "import sys; from pathlib import Path; from mmx.media.probe import probe\n"
        "try: probe(Path(sys.argv[1]))\nexcept Exception as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("the sound has its channels in an unusual order: ")


class TestBounded:
    def test_cpu_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mmx.media.meter.LEAST_SECONDS", 0.05)
        with (
            pytest.raises(MediaFault, match=r"more than 0 CPU seconds \(cpu_seconds_per_mb\)"),
            bounded(1000, Limits()),
        ):
            while True:
                pass

    def test_time_that_is_not_spent_computing_is_free(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("mmx.media.meter.LEAST_SECONDS", 0.1)
        with bounded(1000, Limits()):
            time.sleep(0.3)

    def test_the_limit_grows_with_the_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mmx.media.meter.LEAST_SECONDS", 0.01)
        with bounded(1_000_000, Limits(cpu_seconds_per_mb=100)):
            sum(range(1_000_000))

    def test_memory(self) -> None:
        with (
            pytest.raises(MediaFault, match=r"more than 1 GiB of memory \(max_memory_gb\)"),
            bounded(1000, Limits(max_memory_gb=1.0)),
        ):
            bytearray(3 << 30)

    def test_what_is_bounded_is_free_again(self) -> None:
        with bounded(1000, Limits(max_memory_gb=1.0)):
            pass
        mmap.mmap(-1, 2 << 30).close()

    @pytest.mark.slow
    def test_a_decoder_that_never_returns_is_ended(self) -> None:
        """The handler of Python does not run; the kernel ends the process."""
        code = (
            "import signal, mmx.media.bounded as b, mmx.media.meter as m\n"
            "from mmx.media.faults import Limits\n"
            "m.LEAST_SECONDS, b.GRACE = 0.1, 1.0\n"
            "with b.bounded(0, Limits()):\n"
            "    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPROF})\n"
            "    while True: pass\n"
        )
        done = subprocess.run([sys.executable, "-c", code], check=False)
        assert done.returncode == -signal.SIGVTALRM


READERS: dict[str, Callable[[Path, Path, Limits], object]] = {
    "frames": lambda film, out, limits: list(read_frames(film, limits=limits)),
    "sound": lambda film, out, limits: extract_audio(film, out / "a.wav", rate=8000, limits=limits),
    "probe": lambda film, out, limits: probe(film, limits),
}


SHORT = Limits(cpu_seconds_per_mb=1e-9)


class TestMeter:
    @pytest.fixture(autouse=True)
    def graceful(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let no call be ended with its process, which is that of the tests."""
        monkeypatch.setattr("mmx.media.meter.GRACE", 1e15)

    @pytest.mark.parametrize("what", READERS)
    def test_whatever_reads_a_file_keeps_to_its_share(
        self, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
    ) -> None:
        READERS[what](film, tmp_path, Limits())
        monkeypatch.setattr("mmx.media.meter.LEAST_SECONDS", 0.0)
        with pytest.raises(MediaFault, match=r"CPU seconds \(cpu_seconds_per_mb\)"):
            READERS[what](film, tmp_path, SHORT)

    def test_in_a_thread(self, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mmx.media.meter.LEAST_SECONDS", 0.0)
        read = partial(read_frames, limits=SHORT)
        events = list(read_ahead([film], read, threads=1, capacity=100))
        assert isinstance(events[-1], Finished)
        assert isinstance(events[-1].fault, MediaFault) and events[-1].fault.code == "cpu"

    def test_what_is_computed_between_calls_is_free(self) -> None:
        meter = Meter(-2_999_000, Limits())  # A fiftieth of a second.
        sum(range(10_000_000))
        with meter:
            pass
        with pytest.raises(MediaFault, match="cpu_seconds_per_mb"), meter:
            sum(range(10_000_000))

    def test_memory(self) -> None:
        with (
            pytest.raises(MediaFault, match=r"more than 1 GiB of memory \(max_memory_gb\)"),
            Meter(0, Limits(max_memory_gb=1.0)),
        ):
            kept = b"x" * (5 << 28)
        del kept

    @pytest.mark.parametrize(
        "work", ["exec('while True: pass')", "kept = b'x' * (3 << 30); time.sleep(60)"]
    )
    def test_a_call_that_does_not_return_ends_its_process(self, work: str) -> None:
        code = (
            "import time, mmx.media.meter as m\nfrom mmx.media.faults import Limits\n"
            f"with m.Meter(-2_990_000, Limits(max_memory_gb=1.0)): {work}\n"
        )
        done = subprocess.run([sys.executable, "-c", code], check=False)
        assert done.returncode == -signal.SIGXCPU


def test_a_clock_that_runs_too_fast(film: Path) -> None:
    fault = fault_of(film, max_rate=20.0)
    assert str(fault) == (
        "there are 10 pictures in 0.400 seconds, more than 20 per second (max_rate)"
    )
