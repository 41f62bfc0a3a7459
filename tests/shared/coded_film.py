"""Films whose rightness can be read: frame n shows n, and every second has a burst of sound.

The number is a barcode of ten bars between two markers. Tests read numbers and bursts back through
the product and compare them: frame n must follow frame n - 1, and burst k must sound while frame
k * RATE is shown. Everything is encoded and muxed with PyAV on one thread.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

RATE = 25
BITS = 10
BURST_S = 0.03
PITCH = 1000.0
LOUD = 2500
"""Of 32767: louder is a burst."""


@dataclass(frozen=True)
class Film:
    """What a coded film is made of."""

    first: int = 0
    """Number that the first frame shows."""
    frames: int = 50
    size: tuple[int, int] = (192, 96)
    video: str = "libx264"
    video_options: dict[str, str] = field(
        default_factory=lambda: {"preset": "ultrafast", "bf": "2", "g": "25"}
    )
    pixels: str = "yuv420p"
    sound: str | None = "aac"
    """Codec; None for a silent film."""
    rate: int = 48000
    layout: str = "mono"
    offset: float = 0.0
    """Seconds by which all times are later."""
    muxer: dict[str, str] = field(default_factory=dict)
    format: str | None = None
    """The muxer, where the name of the file does not say it."""


def picture(number: int, size: tuple[int, int]) -> np.ndarray:
    """Return the picture of a number: uint8, height x width, grey."""
    width, height = size
    image = np.full((height, width), 60, np.uint8)
    bar = width // (BITS + 2)
    image[:, :bar], image[:, -bar:] = 235, 16
    for bit in range(BITS):
        shade = 220 if number >> (BITS - 1 - bit) & 1 else 30
        image[height // 4 :, bar * (1 + bit) : bar * (2 + bit)] = shade
    return image


def number_of(image: np.ndarray) -> int:
    """Return the number that a picture shows; `image` is RGB or grey."""
    grey = image if image.ndim == 2 else image[..., 1]
    height, width = grey.shape
    bar = width / (BITS + 2)
    middles = [int(bar * (1.5 + bit)) for bit in range(BITS)]
    bits = [grey[int(height * 0.6), x - 1 : x + 2].mean() > 125 for x in middles]
    return int("".join(str(int(bit)) for bit in bits), 2)


def bursts(film: Film) -> np.ndarray:
    """Return the sound of a film: float32 in [-1, 1], one tone at each whole second of numbers."""
    start, count = Fraction(film.first, RATE), round(film.frames * film.rate / RATE)
    sound = np.zeros(count, np.float32)
    tone = 0.6 * np.sin(2 * np.pi * PITCH * np.arange(round(BURST_S * film.rate)) / film.rate)
    for second in range(int(start), int(start) + film.frames // RATE + 2):
        at = round((second - start) * film.rate)
        # The very beginning and end are left silent: encoders blur them.
        if film.rate // 10 <= at <= count - film.rate // 10:
            sound[at : at + len(tone)] += tone[: count - at].astype(np.float32)
    return sound


def make(path: Path, film: Film) -> Path:
    """Encode and write a film; return `path`."""
    with av.open(str(path), "w", format=film.format, options=dict(film.muxer)) as container:
        video: Any = container.add_stream(film.video, rate=RATE)
        video.width, video.height = film.size
        video.pix_fmt, video.codec_context.thread_count = film.pixels, 1
        video.codec_context.options = dict(film.video_options)
        sound: Any = None
        if film.sound:
            sound = container.add_stream(film.sound, rate=film.rate, layout=film.layout)
            sound.codec_context.thread_count = 1
            sound.bit_rate = 128_000
        for packet in _interleaved(_pictures(film, video), _sounds(film, sound)):
            container.mux(packet)
    return path


def _interleaved(*streams: Iterator[Any]) -> Iterator[Any]:
    """Merge packets of several streams by time, as they would be recorded."""
    packets = [packet for stream in streams for packet in stream]
    yield from sorted(packets, key=lambda packet: packet.dts * packet.time_base)


def _pictures(film: Film, stream: Any) -> Iterator[Any]:
    late = round(film.offset * RATE)
    for index in range(film.frames):
        image = picture(film.first + index, film.size)
        frame = VideoFrame.from_ndarray(image, format="gray").reformat(format=film.pixels)
        frame.pts, frame.time_base = index + late, Fraction(1, RATE)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _sounds(film: Film, stream: Any) -> Iterator[Any]:
    if stream is None:
        return
    late = round(film.offset * film.rate)
    resampler = av.AudioResampler(stream.codec_context.format.name, film.layout, film.rate)
    mono = bursts(film)
    channels = av.AudioLayout(film.layout).nb_channels
    for start in range(0, len(mono), 1024):
        block = np.tile(mono[start : start + 1024], (channels, 1))
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(block), "fltp", film.layout)
        frame.sample_rate, frame.pts = film.rate, start + late
        frame.time_base = Fraction(1, film.rate)
        for part in resampler.resample(frame):
            yield from stream.encode(part)
    yield from stream.encode(None)


def onsets(samples: np.ndarray, rate: int = 16000) -> list[float]:
    """Return when each burst begins, in seconds."""
    loud = np.flatnonzero(np.abs(samples.astype(int)) > LOUD)
    starts = [at for before, at in pairwise([-rate, *loud.tolist()]) if at - before > rate // 5]
    return [at / rate for at in starts]


def lateness(numbers: Sequence[int], times: Sequence[float], heard: Sequence[float]) -> list[float]:
    """Return by how many seconds each burst is late, by the frame that it belongs to."""
    shown = dict(zip(numbers, times, strict=True))
    due = [shown[n] for n in numbers if n % RATE == 0 and n in shown]
    return [min((at - want for want in due), key=abs) for at in heard]
