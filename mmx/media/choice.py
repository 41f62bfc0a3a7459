"""Which of a file's streams are the trailer: the default pictures, and the sound of them.

A file may hold several: two programmes of a broadcast, a small preview before the film, cover art,
a commentary, a description for the blind. Pictures are chosen by their disposition, then by size;
sound by what FFmpeg relates to the pictures, then by disposition.
"""

import re
from collections.abc import Sequence
from typing import Any, cast

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from mmx.media.layouts import channels_of

STILL = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
"""Pictures that are no film: cover art, thumbnails."""
BESIDE = (
    Disposition.comment
    | Disposition.karaoke
    | Disposition.hearing_impaired
    | Disposition.visual_impaired
    | Disposition.clean_effects
    | Disposition.descriptions
    | Disposition.dependent
)
"""Sound that is not the film's own: commentary, descriptions, effects alone."""
BESIDE_TITLE = re.compile(r"comment|descri|karaoke", re.IGNORECASE)
"""The same by a track's title, since few files have dispositions."""
MOST_STREAMS = 64
"""Streams that are described."""


def choose_pictures(container: InputContainer) -> VideoStream | None:
    """Return the stream of moving pictures: the default one, then the largest, then the first."""
    films = [stream for stream in container.streams.video if not stream.disposition & STILL]
    return max(films, key=_picture_rank, default=None)


def _picture_rank(stream: VideoStream) -> tuple[bool, bool, int, int]:
    default = bool(stream.disposition & Disposition.default)
    context = cast(Any, stream.codec_context)
    pixels = context.width * context.height if context else 0
    return context is not None, default, pixels, -stream.index


def choose_sound(container: InputContainer, pictures: VideoStream) -> AudioStream | None:
    """Return the sound track of the same programme as the pictures, the default one; or None.

    Commentary and descriptions are taken only where there is nothing else.
    """
    best = cast(AudioStream | None, container.streams.best("audio", related=pictures))
    own = [stream for stream in container.streams.audio if not _is_beside(stream)]
    if best is None or best in own or not own:
        return best
    return max(own, key=lambda s: (bool(s.disposition & Disposition.default), -s.index))


def _is_beside(stream: AudioStream) -> bool:
    named = BESIDE_TITLE.search(stream.metadata.get("title", ""))
    return bool(stream.disposition & BESIDE) or named is not None


def describe_streams(container: InputContainer, chosen: Sequence[Stream | None]) -> str:
    """Return one line that names every stream: its number, kind, codec, size; `*` for the chosen.

    For example `*0 video h264 1280x720 default; *1 audio aac 48000 Hz stereo; 2 subtitle mov_text`.
    """
    streams = list(container.streams)[:MOST_STREAMS]
    return "; ".join(f"{'*' * (stream in chosen)}{_description(stream)}" for stream in streams)


def _description(stream: Stream) -> str:
    context = cast(Any, stream).codec_context
    words = [str(stream.index), stream.type]
    words += [context.codec.canonical_name] if context else ["unknown"]
    if context and stream.type == "video":
        words.append(f"{context.width}x{context.height}")
    if context and isinstance(stream, AudioStream):
        words.append(f"{context.sample_rate} Hz {channels_of(stream).name}")
    names = [flag.name or "" for flag in Disposition if flag & stream.disposition]
    return " ".join([*words, *names])
