"""Odd but legal sound: accepted, in time, and with the samples that the ffmpeg program gives."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from coded_film import Film, make

from benchmarks.odd_sound import FRAMES, SOUNDS, encode, judge
from mmx.media.audio import extract_audio
from mmx.media.probe import probe
from mmx.media.wav import read_wav

if TYPE_CHECKING:
    from tests.media.conftest import Program

SHORT = [
    "mkv ac3 -ac 6",
    "mkv libmp3lame",
    "mkv pcm_s16le -ac 3",
    "mp4 aac",
    "mp4 aac -movflags frag_keyframe+empty_moov",
    "mp4 libopus -strict -2",
    "3gp libopencore_amrnb -ar 8000 -ac 1",
    "mov pcm_mulaw -ar 8000",
    "avi aac",
    "ts dca -strict -2",
    "ts aac -mpegts_flags latm",
    "vob ac3",
    "flv nellymoser -ar 22050 -ac 1",
    "wmv wmav2",
    "webm libvorbis",
    "ogv flac",
]
"""`python -m benchmarks.odd_sound` takes all."""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("odd") / "film.mkv", Film(frames=FRAMES, sound="pcm_s16le"))


def test_the_set_is_large() -> None:
    assert len(set(SOUNDS)) >= 70 and set(SHORT) <= set(SOUNDS)
    assert len({sound.split()[0] for sound in SOUNDS}) >= 15


@pytest.mark.parametrize("sound", SHORT)
def test_it_is_accepted_in_time_and_equal_to_the_programs(
    film: Path, program: "Program", sound: str
) -> None:
    path = encode(film, film.parent, sound)
    assert path is not None
    assert judge(sound, path).outcome == "right"
    found = probe(path)
    resampled = "aresample=osr=16000:ochl=mono:osf=s16:async=1:first_pts=0"
    heard = f"asetpts=PTS-({found.start_s})/TB,{resampled}"
    raw = program.run(
        "-copyts", "-i", path, "-map", f"0:{found.audio_stream}", "-af", heard, "-f", "s16le", "-"
    )
    extract_audio(path, path.with_suffix(".wav"), rate=16000)
    assert np.array_equal(read_wav(path.with_suffix(".wav")), np.frombuffer(raw, np.int16))
