import errno
import wave
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.signal import resample_poly

from mmx.media.audio import extract_audio, extract_item
from mmx.media.faults import Limits, MediaFault
from mmx.media.probe import probe
from mmx.media.wav import read_wav
from mmx.params import AudioParams

if TYPE_CHECKING:
    from tests.media.conftest import Program, Shelf


RATE = 16000
SCENE = ["-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=3"]
H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-threads", "1"]
BEEP = "sine=f=1000:r=48000:d=3,volume='gt(t,1)':eval=frame"
"""Silence for a second, then a tone."""


@pytest.fixture
def film(program: "Program", tmp_path: Path) -> Callable[..., Path]:
    """Make a film whose sound is a filter graph's, encoded by `options`."""

    def make(sound: str, *options: str, name: str = "a.mkv", before: tuple[str, ...] = ()) -> Path:
        path = tmp_path / name
        tone = [*before, "-f", "lavfi", "-i", sound]
        program.run(*SCENE, *tone, *H264, "-c:a", "pcm_s16le", *options, path)
        return path

    return make


def onset(samples: np.ndarray) -> float:
    """Return the time of the first loud sample, in seconds."""
    return int(np.argmax(np.abs(samples.astype(int)) > 500)) / RATE


def sound_of(path: Path) -> np.ndarray:
    wav = path.parent / "out.wav"
    count = extract_audio(path, wav, rate=RATE)
    samples = read_wav(wav)
    assert len(samples) == count
    return samples


class TestAlignment:
    """Sample 0 is at the time of frame 0, whatever the container's clocks say."""

    @pytest.mark.parametrize("name", ["a.mkv", "a.mov", "a.avi", "a.ts"])
    def test_sound_and_picture_start_together(self, film: Callable[..., Path], name: str) -> None:
        codec = ["-c:a", "mp2"] if name == "a.ts" else []
        assert onset(sound_of(film(BEEP, *codec, name=name))) == pytest.approx(1.0, abs=0.03)

    @pytest.mark.parametrize("name", ["a.mkv", "a.mov"])
    def test_a_late_sound_is_padded_with_silence(
        self, film: Callable[..., Path], name: str
    ) -> None:
        samples = sound_of(film(BEEP, name=name, before=("-itsoffset", "0.5")))
        assert onset(samples) == pytest.approx(1.5, abs=0.03)
        assert not samples[: RATE // 2].any()
        assert len(samples) == pytest.approx(3.5 * RATE, abs=50)

    @pytest.mark.parametrize("name", ["a.mkv", "a.mov"])
    def test_sound_before_the_first_frame_is_cut(
        self, program: "Program", film: Callable[..., Path], tmp_path: Path, name: str
    ) -> None:
        path = tmp_path / name
        tone = ["-f", "lavfi", "-i", BEEP]
        late = ["-itsoffset", "0.4", *SCENE]
        program.run(*late, *tone, *H264, "-c:a", "pcm_s16le", path)
        samples = sound_of(path)
        assert onset(samples) == pytest.approx(0.6, abs=0.03)
        assert len(samples) == pytest.approx(2.6 * RATE, abs=50)

    def test_a_late_file_starts_at_its_first_frame(self, film: Callable[..., Path]) -> None:
        samples = sound_of(film(BEEP, "-output_ts_offset", "7.5"))
        assert onset(samples) == pytest.approx(1.0, abs=0.03)

    def test_a_gap_in_the_sound_is_silence(self, film: Callable[..., Path]) -> None:
        gap = "sine=f=1000:r=48000:d=3,aselect='lt(t,1)+gt(t,2)',asetpts=PTS"
        samples = sound_of(film(gap)).astype(int)
        assert len(samples) == pytest.approx(3 * RATE, abs=800)
        assert np.abs(samples[: RATE - 800]).max() > 1000
        assert not samples[RATE + 800 : 2 * RATE - 800].any()
        assert np.abs(samples[2 * RATE + 800 :]).max() > 1000


class TestSamples:
    def test_resampled_once_and_mixed_by_the_mean(
        self, film: Callable[..., Path], program: "Program"
    ) -> None:
        sounds = "aevalsrc='0.4*sin(2*PI*440*t)|0.2*sin(2*PI*900*t)':s=48000:d=3"
        path = film(sounds)
        stereo = program.sound(path).reshape(-1, 2).astype(np.float64)
        expected = resample_poly(stereo.mean(axis=1), 1, 3) * 32768
        inner = slice(RATE // 4, -RATE // 4)
        found = sound_of(path).astype(np.float64)
        noise = found[inner] - expected[inner]
        assert np.mean(expected[inner] ** 2) / np.mean(noise**2) > 1e5  # 50 dB

    def test_what_is_above_the_new_band_does_not_fold_back(self, film: Callable[..., Path]) -> None:
        found = sound_of(film("sine=f=11000:r=48000:d=3")).astype(int)
        assert np.abs(found[1000:-1000]).max() <= 4

    def test_the_rate_is_a_parameter(self, film: Callable[..., Path], tmp_path: Path) -> None:
        facts = extract_item(
            video=film("sine=d=3:r=48000"), params=AudioParams(rate=8000), out=tmp_path
        )
        assert facts == {"silent": False, "samples": 24000}
        with wave.open(str(tmp_path / "audio.wav")) as wav:
            assert wav.getparams()[:4] == (1, 2, 8000, 24000)

    def test_equal_videos_give_equal_bytes_without_tags(
        self, film: Callable[..., Path], tmp_path: Path
    ) -> None:
        path = film("sine=d=3:r=44100", "-c:a", "aac", name="a.mp4")
        for name in ("1.wav", "2.wav"):
            count = extract_audio(path, tmp_path / name, rate=RATE)
        data = (tmp_path / "1.wav").read_bytes()
        assert data == (tmp_path / "2.wav").read_bytes()
        assert len(data) == 44 + 2 * count and b"Lavf" not in data


class TestSilence:
    def test_no_sound_track_is_a_fact(self, shelf: "Shelf", tmp_path: Path) -> None:
        facts = extract_item(video=shelf["plain.mp4"], params=AudioParams(), out=tmp_path)
        assert facts == {"silent": True}
        assert list(tmp_path.iterdir()) == []

    def test_an_empty_sound_track_is_silent_too(
        self, program: "Program", shelf: "Shelf", tmp_path: Path
    ) -> None:
        path, out = tmp_path / "a.mkv", tmp_path / "out"
        out.mkdir()
        program.remux(shelf["sound.mp4"], path, lambda stream, _: None if stream else True)
        assert probe(path).audio_codec == "aac"
        assert extract_item(video=path, params=AudioParams(), out=out) == {"silent": True}
        assert list(out.iterdir()) == []


class TestFailure:
    def test_sound_that_cannot_be_decoded_is_a_fault(
        self, program: "Program", shelf: "Shelf", tmp_path: Path
    ) -> None:
        path = tmp_path / "a.mkv"
        program.remux(shelf["sound.mp4"], path, lambda stream, _: b"\x55" * 99 if stream else True)
        with pytest.raises(MediaFault, match="the sound cannot be decoded"):
            extract_audio(path, tmp_path / "out.wav", rate=RATE)

    def test_a_few_damaged_packets_are_silence_and_counted(
        self, program: "Program", shelf: "Shelf", tmp_path: Path
    ) -> None:
        path = tmp_path / "a.mkv"
        program.remux(
            shelf["sound.mp4"], path, lambda stream, n: b"\x55" * 99 if stream and n == 20 else True
        )
        few = Limits(max_concealed=0.1)
        assert probe(path, few).concealed_sound == 1
        count = extract_audio(path, tmp_path / "out.wav", rate=RATE, limits=few)
        samples = np.array(read_wav(tmp_path / "out.wav"))
        assert count == pytest.approx(RATE, abs=400)
        silent = np.flatnonzero(samples[6000:9000] == 0)
        assert len(silent) > 250 and samples[9000:9100].any()
        for reader in (probe, lambda path: extract_audio(path, tmp_path / "out.wav", rate=RATE)):
            with pytest.raises(MediaFault, match=r"1 of .* packets of the sound are damaged"):
                reader(path)

    def test_a_full_disk_is_a_failure_of_the_machine(self, shelf: "Shelf") -> None:
        with pytest.raises(OSError) as caught:
            extract_audio(shelf["sound.mp4"], Path("/dev/full"), rate=RATE)
        assert caught.value.errno == errno.ENOSPC


class TestReadWav:
    def test_reads_what_the_wave_module_reads(self, shelf: "Shelf") -> None:
        samples = sound_of(shelf["sound.mp4"])
        with wave.open(str(shelf["sound.mp4"].parent / "out.wav")) as wav:
            expected = np.frombuffer(wav.readframes(wav.getnframes()), np.int16)
        assert samples.dtype == np.int16 and not samples.flags.writeable
        assert np.array_equal(samples, expected) and len(samples) > 15000

    def test_an_empty_file(self, tmp_path: Path) -> None:
        with wave.open(str(tmp_path / "a.wav"), "wb") as wav:
            wav.setparams((1, 2, RATE, 0, "NONE", ""))
        assert read_wav(tmp_path / "a.wav").shape == (0,)

    def test_a_file_cut_short_is_an_error(self, shelf: "Shelf", tmp_path: Path) -> None:
        extract_audio(shelf["sound.mp4"], tmp_path / "a.wav", rate=RATE)
        whole = (tmp_path / "a.wav").read_bytes()
        (tmp_path / "a.wav").write_bytes(whole[:-100])
        with pytest.raises(ValueError):
            read_wav(tmp_path / "a.wav")
