"""Open an untrusted video: containers on a whitelist, local files only, within the limits."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard
from av.video.stream import VideoStream

from mmx.media.budget import check_header
from mmx.media.choice import choose_pictures, choose_sound
from mmx.media.faults import Limits, MediaFault
from mmx.media.meter import Meter

FORMATS = ("mov", "matroska", "avi", "mpegts", "mpeg", "flv", "ogg", "asf")
"""Demuxers that may read a trailer. None of them follows a reference to another file."""
BLOCK = 1 << 20
HEADROOM = 1 << 28
"""Bytes that can be allocated on a machine that is not short of memory."""


@dataclass(frozen=True)
class Source:
    """An open video file and the two streams of it that are read."""

    path: Path
    container: InputContainer
    video: VideoStream
    """The stream of pictures that is read."""
    audio: AudioStream | None
    """The sound track that goes with them, or None."""
    limits: Limits
    meter: Meter
    """Around each call of a demuxer or decoder."""

    @property
    def header_seconds(self) -> float | None:
        """Duration by the header of the container, in seconds; None where it has none."""
        duration = self.container.duration
        return None if duration is None else duration / av.time_base

    @property
    def rate(self) -> Fraction | None:
        """Average frames per second by the header; None where it has none."""
        return self.video.average_rate or self.video.guessed_rate

    @property
    def nominal_rate(self) -> Fraction:
        """Intended frames per second, as guessed by FFmpeg."""
        return self.video.guessed_rate or self.rate or Fraction(25)

    @property
    def sample_aspect(self) -> Fraction:
        """Width of a stored pixel by its height; 1 where the file has none."""
        return self.video.sample_aspect_ratio or Fraction(1)


@contextmanager
def open_video(path: Path, limits: Limits, *, every_stream: bool = False) -> Iterator[Source]:
    """Open `path` for reading from the start, on one decoder thread.

    One thread, since videos are processed in parallel, and since frame threads treat a damaged
    stream differently. Packets of streams that are not chosen are read with `every_stream` alone.
    Raise MediaFault where the file cannot be used as a trailer or its header exceeds `limits`, and
    the operating system's own error where it is missing or cannot be read.
    """
    _check_file(path)
    unread = MediaFault("container", "no container that is accepted could be read from the file")
    with as_media_fault(path, unread):
        container = av.open(
            f"file:{path}",
            metadata_errors="replace",
            container_options={
                "protocol_whitelist": "file",
                "format_whitelist": ",".join(FORMATS),
            },
        )
    with container:
        source = _choose(path, container, limits)
        for stream in container.streams:
            if stream not in (source.video, source.audio) and not every_stream:
                stream.discard = Discard.all
        yield source


def _check_file(path: Path) -> None:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise MediaFault("not-a-file", "it is not a regular file")
    if found.st_size == 0:
        raise MediaFault("empty", "the file is empty")


def _choose(path: Path, container: InputContainer, limits: Limits) -> Source:
    video = choose_pictures(container)
    if video is None:
        raise MediaFault("no-video", "the file has no video stream")
    sound = choose_sound(container, video)
    if video.codec_context is None or (sound and sound.codec_context is None):
        raise MediaFault("no-decoder", "there is no decoder for the pictures or the sound")
    check_header(video, sound, limits)
    video.codec_context.thread_count = 1
    # The decoder counts aligned rows: twice the limit bounds its memory. check_size holds the
    # limit.
    video.codec_context.options = {"max_pixels": str(2 * limits.max_pixels)}
    if sound is not None:
        sound.codec_context.thread_count = 1
        # A wrong checksum is an error.
        sound.codec_context.options = {"err_detect": "crccheck+explode"}
    return Source(path, container, video, sound, limits, Meter(path.stat().st_size, limits))


@contextmanager
def as_media_fault(path: Path, fault: MediaFault) -> Iterator[None]:
    """Turn a decoder's error into `fault`, unless the machine caused it.

    The machine caused it where the decoder lacked memory and HEADROOM cannot be allocated (a broken
    header may ask for any amount), or where the decoder reports another error and the file's bytes
    cannot be read to the end: MemoryError or the operating system's error is raised then.
    """
    try:
        yield
    except av.FFmpegError as error:
        if isinstance(error, MemoryError):
            bytearray(HEADROOM)
        else:
            _read_through(path)
        # A new exception: an exception held by a frame of its own traceback would keep the file
        # open.
        raise MediaFault(fault.code, fault.message) from None


def _read_through(path: Path) -> None:
    with open(path, "rb", buffering=0) as file:
        while file.read(BLOCK):
            pass
