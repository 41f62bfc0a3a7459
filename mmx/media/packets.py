"""Packets in the order of the file, and the pictures that one of them completes."""

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from av import Packet, VideoFrame
from av.stream import Stream

from mmx.media.budget import check_size
from mmx.media.faults import MediaFault
from mmx.media.source import Source, as_media_fault


def read_packets(source: Source, *, every_stream: bool = False) -> Iterator["Packet[Stream]"]:
    """Yield the packets of pictures and sound, or of all streams, then the empty ones that flush.

    Raise MediaFault where the file cannot be read on.
    """
    chosen = [source.video] if source.audio is None else [source.video, source.audio]
    packets = source.container.demux(list(source.container.streams) if every_stream else chosen)
    unread = MediaFault("damaged", "the file cannot be read to its end")
    while True:
        with source.meter, as_media_fault(source.path, unread):
            packet = _next_packet(packets)
        if packet is None:
            return
        yield packet


def _next_packet(packets: Iterator["Packet[Stream]"]) -> "Packet[Stream] | None":
    # After the last packet PyAV may try to flush a stream that appeared during reading and is
    # missing from its list of streams.
    try:
        return next(packets, None)
    except IndexError:
        return None


def decode_packet(source: Source, packet: "Packet[Any] | None") -> list[VideoFrame]:
    """Return the pictures that a packet of the video stream completes; MediaFault for a bad one.

    None, or an empty packet, returns those that the decoder holds back.
    """
    undecodable = MediaFault("damaged", "a picture of the video cannot be decoded")
    with source.meter, as_media_fault(source.path, undecodable):
        frames: list[VideoFrame] = source.video.codec_context.decode(packet)
    for frame in frames:
        check_size(frame.width, frame.height, source.limits)
        if frame.is_corrupt:
            raise undecodable
    return frames


def drain(source: Source, packet: "Packet[Any]") -> list[VideoFrame]:
    """Return the pictures that the decoder holds back before `packet`, and start it anew."""
    frames = decode_packet(source, None)
    source.video.codec_context.flush_buffers()
    for frame in frames:
        frame.time_base = frame.time_base or packet.time_base
    return frames


def stamp(frame: VideoFrame) -> Fraction | None:
    """Return the picture's time in seconds on the container's clock; None where it has none."""
    ticks = frame.pts if frame.pts is not None else frame.dts
    return None if ticks is None or frame.time_base is None else ticks * frame.time_base


def no_frames() -> MediaFault:
    """Return the fault of a video stream without a picture."""
    return MediaFault("no-frames", "the video stream has no picture")


class FormatWatch:
    """Notices key pictures with other parameters than before: another size, another profile.

    H.264, HEVC and MPEG video carry them in the packets (Annex B): NAL units 7 and 33, sequence
    headers. A decoder that is given new ones drops pictures that it holds back.
    """

    def __init__(self, source: Source) -> None:
        self._pattern = _PARAMETERS.get(source.video.codec.canonical_name)
        self._last: bytes | None = None

    def changes(self, packet: "Packet[Any]") -> bool:
        """Say whether the pictures change their format with this packet."""
        if self._pattern is None or not packet.is_keyframe or packet.size == 0:
            return False
        found = self._pattern.search(bytes(packet)[:_HEAD])
        if found is None:
            return False
        last, self._last = self._last, found.group()
        return last is not None and last != self._last


_HEAD = 4096
"""Bytes of a packet in which its parameters stand."""
_PARAMETERS = {
    "h264": re.compile(rb"\x00\x00\x01[\x07\x27\x47\x67].+?(?=\x00\x00[\x00\x01])", re.DOTALL),
    "hevc": re.compile(rb"\x00\x00\x01\x42.+?(?=\x00\x00[\x00\x01])", re.DOTALL),
    "mpeg2video": re.compile(rb"\x00\x00\x01\xb3.{3}", re.DOTALL),
    "mpeg1video": re.compile(rb"\x00\x00\x01\xb3.{3}", re.DOTALL),
}
"""What another format changes, by codec: parameter sets, or width and height."""
