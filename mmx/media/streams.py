"""One digest of all that a file's frames depend on, and one of all that its sound depends on.

Two files with equal video digests give equal frames: pixels, numbers and times. Two files with
equal sound digests give equal samples. So they cover everything that decoding reads: the packets
and what the container says of them, but neither titles, nor where in the file a packet lies, nor
the other streams. What makes `probe` refuse a file is left out: a refused file is never decoded.

The two digests treat times differently. Frames have exact times since the first one, so that
another unit of time or another start of the clock changes nothing. Times of sound are rounded to
samples, by the container's own units: its packets are digested with their times as stored.

Where the timeline moves packets, or sound is cut, that is digested too: it follows from packets of
the other stream, or from the header.
"""

import hashlib
import json
from fractions import Fraction
from typing import Any

from av import Packet

from mmx.media.layouts import channels_of
from mmx.media.packets import stamp
from mmx.media.scan import Scan
from mmx.media.source import Source
from mmx.media.timeline import Shifts
from mmx.media.upright import upright_of

ORDINARY_TAGS = ("\0\0\0\0", "avc1", "avc3", "hvc1", "hev1", "vp09", "av01", "mp4a", "Opus")
"""Four-letter codec tags that have no effect on decoding. Others, such as XVID, have one."""
DEPTH_IN_PACKETS = ("h264", "hevc", "vp8", "vp9", "av1")
"""Video codecs whose decoders ignore the bits per pixel that the container gives."""
TIMES_KEPT = ("mov", "matroska")
"""Containers whose name and start say nothing about the sound."""
SELF_DESCRIBED = (
    "aac", "ac3", "alac", "eac3", "flac", "mp2", "mp3", "opus", "vorbis",
)  # fmt: skip
"""Audio codecs that need no more than what is digested here. The decoders of others read fields
of the header, such as the size of a block, that PyAV does not expose."""
TEXTS = ("metadata_update", "strings_metadata")
"""Types of side data that hold titles and the like."""


class VideoDigest:
    """Digests the packets of the video stream, in the order of the file."""

    def __init__(self, source: Source) -> None:
        """Read what the header says; `source` has decoded nothing yet."""
        self._header = _video_header(source)
        self._packets, self._order = hashlib.sha256(), hashlib.sha256()
        self._origin: Fraction | None = None
        self._untimed = False

    def add(self, packet: "Packet[Any]") -> None:
        """Add the next packet, empty ones included."""
        unit = packet.time_base or Fraction(0)
        if self._origin is None:
            self._origin = (packet.pts if packet.pts is not None else packet.dts or 0) * unit
        self._untimed |= packet.pts is None and packet.size > 0
        times = [self._time(packet.pts, unit), str((packet.duration or 0) * unit)]
        if packet.size and not packet.duration:
            # A decoder that guesses how long a picture is shown rounds to the container's time
            # unit.
            times.append(str(unit))
        _put(self._packets, packet, times)
        self._order.update(f"{self._time(packet.dts, unit)}\n".encode())

    def _time(self, ticks: int | None, unit: Fraction) -> str:
        return "none" if ticks is None else str(ticks * unit - (self._origin or 0))

    def hexdigest(self, found: Scan) -> str:
        """Return the digest, 64 hexadecimal digits; `found`: what the packets show."""
        upright = upright_of(found.first)
        return _digest(
            {
                **self._header,
                "upright": [upright.transpose, upright.mirror, upright.flip],
                "start": str((stamp(found.first) or Fraction(0)) - (self._origin or 0)),
                "packets": self._packets.hexdigest(),
                # A picture's place in decoding order counts only where pictures have no time.
                "order": self._order.hexdigest() if self._untimed else None,
                **_moved(found.timeline.pictures),
            }
        )


class SoundDigest:
    """Digests the packets of the sound track, in the order of the file; none for a silent video."""

    def __init__(self, source: Source) -> None:
        """Read what the header says; `source` has decoded nothing yet."""
        self._source = source
        self._header = _sound_header(source)
        self._packets = hashlib.sha256()

    def add(self, packet: "Packet[Any]") -> None:
        """Add the next packet, empty ones included."""
        times = [packet.pts, packet.dts, packet.duration, str(packet.time_base)]
        _put(self._packets, packet, times)

    def hexdigest(self, found: Scan) -> str:
        """Return the digest, 64 hexadecimal digits; the same for every silent video.

        `found`: what the packets show; the samples begin with the first picture.
        """
        if self._source.audio is None:
            return _digest({"silent": True})
        if self._source.audio.codec.canonical_name not in SELF_DESCRIBED:
            return _digest({"start": str(found.start), "file": _file_digest(self._source)})
        return _digest(
            {
                **self._header,
                "start": str(found.start),
                "packets": self._packets.hexdigest(),
                **_moved(found.timeline.sound),
                **_cut(found),
            }
        )


def _moved(shifts: Shifts) -> dict[str, Any]:
    """Return the part of the timeline that does not follow from the stream's packets alone."""
    return {"moved": [[n, str(shift)] for n, shift in shifts]} if shifts else {}


def _cut(found: Scan) -> dict[str, Any]:
    """Return where the sound is cut, if its packets go on: by the header, or after the pictures."""
    cut: dict[str, Any] = {}
    if found.sound_until is not None and found.sound_until < found.sound_packed:
        cut["until"] = str(found.sound_until)
    if found.sound_late:
        cut["pictures"] = str(found.end)
    return cut


def _video_header(source: Source) -> dict[str, Any]:
    stream = source.video
    context = stream.codec_context
    codec = _codec(stream)
    depth = 0 if codec["codec"] in DEPTH_IN_PACKETS else context.bits_per_coded_sample
    return {
        **codec,
        "size": [context.width, context.height, context.coded_width, context.coded_height],
        "pixels": [context.pix_fmt, depth, context.field_order],
        "colour": [
            context.color_range, context.color_primaries, context.color_trc, context.colorspace,
        ],
        "reordered": context.reorder_depth,
        "aspect": str(source.sample_aspect),
        "rates": [str(source.rate), str(source.nominal_rate), str(context.framerate)],
        "evenly": source.container.format.name == "avi",
        "joined": source.container.format.name == "mpegts",
    }  # fmt: skip


def _sound_header(source: Source) -> dict[str, Any]:
    stream = source.audio
    if stream is None:
        return {}
    name, channels = source.container.format.name, channels_of(stream)
    return {
        **_codec(stream),
        "rate": stream.sample_rate,
        "layout": [channels.name, channels.count],
        "frame": [stream.format and stream.format.name, stream.codec_context.frame_size],
        "clock": None if name.startswith(TIMES_KEPT) else [name, source.container.start_time],
    }


def _codec(stream: Any) -> dict[str, Any]:
    context = stream.codec_context
    return {
        "codec": stream.codec.canonical_name,
        "tag": _tag(context),
        "profile": context.profile,
        "extradata": (context.extradata or b"").hex(),
    }


def _tag(context: Any) -> str:
    """Return a codec's tag if it has an effect: letters, or hexadecimal where it is none."""
    try:
        tag: str = context.codec_tag
    except UnicodeDecodeError as error:
        return bytes(error.object).hex()
    return "" if tag in ORDINARY_TAGS else tag


def _put(digest: Any, packet: "Packet[Any]", times: list[Any]) -> None:
    """Add times, size, flags, side data and bytes, so that different packets cannot be confused."""
    flags = [packet.is_keyframe, packet.is_discard, packet.is_corrupt]
    beside = sorted(
        [data.data_type, bytes(data).hex()]
        for data in packet.iter_sidedata()
        if data.data_type not in TEXTS
    )
    digest.update(json.dumps([times, packet.size, flags, beside]).encode() + b"\n")
    if packet.size:
        digest.update(packet)


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _file_digest(source: Source) -> str:
    with open(source.path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
