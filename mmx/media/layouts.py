"""The channels of a sound track, read without a fault of PyAV."""

import ctypes
import re
from dataclasses import dataclass

from av.audio.stream import AudioStream

OWN_ORDER = re.compile(r"\d+ channels \(")
"""How FFmpeg's name of a layout begins whose channels have an order of their own."""


@dataclass(frozen=True)
class Channels:
    """The layout of a sound track."""

    name: str
    """FFmpeg's name, such as `5.1`."""
    count: int
    own_order: bool
    """Whether the channels are in none of the usual orders: frames of such a sound cannot be read.
    """


def channels_of(stream: AudioStream) -> Channels:
    """Return the channels of a sound track."""
    layout = stream.layout
    own_order = OWN_ORDER.match(layout.name) is not None
    if own_order:
        # PyAV's object frees a table that belongs to the stream, and ends the process when the
        # stream frees it too. An object that is never freed does no harm.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))
    return Channels(layout.name, layout.nb_channels, own_order)
