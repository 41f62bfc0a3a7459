"""Pictures and sound into a file, by the ffmpeg program, with the same bytes every time."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import ffmpeg
import numpy as np
from imageio_ffmpeg import get_ffmpeg_exe

from mmx.sample.sound import RATE

Options = Mapping[str, str | int]
"""Of the ffmpeg program."""

_BITEXACT: Options = {"fflags": "+bitexact", "flags:v": "+bitexact", "flags:a": "+bitexact"}


@dataclass(frozen=True)
class Format:
    """A container with its codecs, rate and size."""

    suffix: str
    """Of the file, with its dot."""
    video: Options
    """ffmpeg's options of the video codec."""
    audio: Options
    """ffmpeg's options of the audio codec; none for a silent file."""
    rate: Fraction
    """Frames per second."""
    width: int
    """Pixels, as shown: square, upright."""
    height: int
    """Pixels, as shown: square, upright."""
    squeeze: Fraction = Fraction(1)
    """Shape of the stored pixels, width by height; stored width = width / squeeze."""
    timing: str = ""
    """ffmpeg's expression for a frame's time in frames, from its number N; none: constant rate."""
    turned: bool = False
    """Stored on its side, with a display matrix that turns it upright."""


def _h264(quality: int = 24) -> Options:
    return {"vcodec": "libx264", "preset": "superfast", "crf": quality, "pix_fmt": "yuv420p"}


def _vpx(codec: str) -> Options:
    # The deadline `realtime` lets VP8 choose its effort by the clock, and thereby its bytes.
    effort: Options = {"deadline": "good", "cpu-used": 5}
    return {"vcodec": codec, "crf": 24, "video_bitrate": "600k", "pix_fmt": "yuv420p", **effort}


_AV1: Options = {"vcodec": "libsvtav1", "preset": 12, "crf": 32, "svtav1-params": "lp=1"}
_AAC: Options = {"acodec": "aac", "audio_bitrate": "96k"}
_OPUS: Options = {"acodec": "libopus", "audio_bitrate": "64k"}
_MP3: Options = {"acodec": "libmp3lame", "audio_bitrate": "96k", "ar": 44100}
_FILM = Fraction(24000, 1001)

FORMATS = (
    Format(".mp4", _h264(), {**_AAC, "ac": 2}, Fraction(25), 192, 108),
    Format(".mkv", _h264(), {"acodec": "flac"}, _FILM, 208, 88),
    Format(".webm", _vpx("libvpx-vp9"), _OPUS, Fraction(25), 191, 107),
    Format(".mov", _h264(22), {"acodec": "pcm_s16le", "ar": 16000}, Fraction(30), 160, 120),
    Format(".avi", {"vcodec": "mpeg4", "qscale:v": 3}, _MP3, Fraction(12), 176, 144),
    Format(".mp4", _h264(), _AAC, _FILM, 192, 108, squeeze=Fraction(4, 3)),
    Format(".webm", _vpx("libvpx"), _OPUS, Fraction(25), 192, 108),
    Format(".mkv", {**_AV1, "pix_fmt": "yuv420p"}, _OPUS, Fraction(24), 192, 108),
)
"""What ordinary trailers come in, in turn."""

SILENT = Format(".mp4", _h264(), {}, Fraction(25), 192, 108)
VARIABLE = Format(
    ".mkv", _h264(), _AAC, Fraction(25), 192, 108, timing="(N+5*sin(N/10))",
)  # fmt: skip
TURNED = Format(".mp4", _h264(), _AAC, Fraction(25), 108, 192, turned=True)


def encode(path: Path, form: Format, pictures: np.ndarray, sound: np.ndarray) -> None:
    """Write `pictures` (uint8 N x height x width x 3) and `sound` (float32 mono) to `path`."""
    with TemporaryDirectory() as scratch:
        pcm = Path(scratch) / "sound.f32"
        pcm.write_bytes(sound.astype("<f4").tobytes())
        streams = [_video(form, pictures)]
        if form.audio:
            streams.append(ffmpeg.input(str(pcm), f="f32le", ar=RATE, ac=1))
        target = Path(scratch) / f"flat{form.suffix}" if form.turned else path
        _run(ffmpeg.output(*streams, str(target), **_options(form)), pictures.tobytes())
        if form.turned:
            turned = ffmpeg.input(str(target), display_rotation=90)
            _run(ffmpeg.output(turned, str(path), c="copy", map_metadata=-1, **_BITEXACT), b"")


def _video(form: Format, pictures: np.ndarray) -> ffmpeg.nodes.FilterableStream:
    height, width = pictures.shape[1:3]
    video = ffmpeg.input(
        "pipe:", f="rawvideo", pix_fmt="rgb24", s=f"{width}x{height}", framerate=str(form.rate)
    )
    if form.turned:
        video = video.filter("transpose", 1)
    if form.squeeze != 1:
        video = video.filter("scale", int(width / form.squeeze), height)
        video = video.filter("setsar", str(form.squeeze))
    if form.timing:
        video = video.filter("settb", "1/1000").filter("setpts", f"{form.timing}/({form.rate})/TB")
    return video


def _options(form: Format) -> Options:
    timing: Options = {"fps_mode": "cfr"}
    if form.timing:
        timing = {"fps_mode": "passthrough", "enc_time_base": "filter"}
    fixed: Options = {"threads": 1, "filter_threads": 1, "map_metadata": -1, "g": 50}
    return {**form.video, **form.audio, **timing, **fixed, **_BITEXACT}


def _run(output: ffmpeg.nodes.OutputStream, data: bytes) -> None:
    """Run the program on `data`; raise RuntimeError with its error output if it fails."""
    command = output.global_args("-hide_banner", "-loglevel", "error")
    try:
        command.run(cmd=get_ffmpeg_exe(), input=data, quiet=True, overwrite_output=True)
    except ffmpeg.Error as error:
        # ffmpeg.Error itself does not survive the way back from a worker process.
        raise RuntimeError(f"ffmpeg: {error.stderr.decode(errors='replace').strip()}") from None
