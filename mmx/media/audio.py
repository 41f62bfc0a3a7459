"""A trailer's sound as a wav file whose first sample sounds with the first frame."""

import errno
import os
import signal
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import IO, cast

import ffmpeg
from imageio_ffmpeg import get_ffmpeg_exe

from mmx.media.faults import DEFAULT_LIMITS, Limits, MediaFault
from mmx.media.probe import Probe, probe
from mmx.media.source import FORMATS
from mmx.params import AudioParams

WAV = "audio.wav"
BLOCK = 1 << 18
TIME_LIMIT_S = 900.0
"""A half-hour video takes some seconds; a program that hangs is the machine's trouble."""
MACHINE = {256 - code: code for code in (errno.EIO, errno.ENOMEM, errno.ENFILE, errno.EMFILE)}
"""Exit codes by which the program says that it lacked something, as operating system errors."""


def extract_item(
    *, video: Path, params: AudioParams, out: Path, limits: Limits = DEFAULT_LIMITS
) -> dict[str, bool | int]:
    """Write the sound of `video` as `out`/audio.wav; return its facts.

    Facts: `silent`, and `samples` where it is not. A video without a sound track, or with an empty
    one, is silent, and leaves no file.
    """
    samples = extract_audio(video, out / WAV, rate=params.rate, limits=limits)
    return {"silent": False, "samples": samples} if samples else {"silent": True}


def extract_audio(video: Path, wav: Path, *, rate: int, limits: Limits = DEFAULT_LIMITS) -> int:
    """Write the default sound track of `video` to `wav`; return the number of samples.

    Mono, 16 bit, at `rate` Hz (section 4.1), mixed and resampled in one pass. Sample 0 sounds when
    frame 0 is shown: a track that starts later is padded with silence, one that starts earlier is
    cut, and a gap within it is filled with silence. Equal videos give equal bytes. Without sound
    there is no file, and the result is 0.

    Raise MediaFault for a file that cannot serve as a trailer or whose sound cannot be decoded,
    and TimeoutError where the program takes more than 15 minutes.
    """
    found = probe(video, limits)
    if found.audio_stream is None:
        return 0
    samples = _write_wav(_command(video, found, rate), wav, rate)
    if samples == 0:
        wav.unlink()
    return samples


def _command(video: Path, found: Probe, rate: int) -> list[str]:
    source = ffmpeg.input(
        f"file:{video}", protocol_whitelist="file,pipe", format_whitelist=",".join(FORMATS)
    )
    sound = source[str(found.audio_stream)].filter("asetpts", f"PTS-({found.start_s})/TB")
    sound = sound.filter(
        "aresample", osr=rate, ochl="mono", osf="s16", **{"async": 1, "first_pts": 0}
    )
    output = ffmpeg.output(sound, "pipe:1", format="s16le", acodec="pcm_s16le")
    output = output.global_args("-nostdin", "-copyts", "-v", "quiet")
    command: list[str] = output.compile(get_ffmpeg_exe())
    return command


def _write_wav(command: list[str], path: Path, rate: int) -> int:
    samples = 0
    with (
        wave.open(str(path), "wb") as wav,
        Popen(command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL) as program,
        _deadline(program),
    ):
        wav.setparams((1, 2, rate, 0, "NONE", ""))
        sound = cast(IO[bytes], program.stdout)
        while block := sound.read(BLOCK):
            wav.writeframesraw(block)
            samples += len(block) // 2
    _check_exit(program.returncode)
    return samples


@contextmanager
def _deadline(program: "Popen[bytes]") -> Iterator[None]:
    timer = threading.Timer(TIME_LIMIT_S, program.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _check_exit(code: int) -> None:
    if code == -signal.SIGKILL:
        raise TimeoutError("the ffmpeg program was killed, or took too long")
    if code < 0:
        raise ChildProcessError(f"the ffmpeg program was ended by signal {-code}")
    if code in MACHINE:
        raise OSError(MACHINE[code], os.strerror(MACHINE[code]))
    if code:
        raise MediaFault("audio", "the sound cannot be decoded")
