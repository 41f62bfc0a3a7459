"""What a video may cost: bounds that its header and packets show before it is decoded.

Each message names the parameter of params.yaml, section `collection`, that sets the bound.
"""

from fractions import Fraction

from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from mmx.media.faults import Limits, MediaFault
from mmx.media.layouts import Channels, channels_of


def too_long(limits: Limits) -> MediaFault:
    """Return the fault of a video longer than `limits` allow."""
    return MediaFault("too-long", f"the video is longer than {limits.max_seconds:g} seconds")


def check_size(width: int, height: int, limits: Limits) -> None:
    """Raise MediaFault for a picture with too many pixels, or too narrow a one."""
    if width * height > limits.max_pixels:
        raise MediaFault("too-large", f"a picture has more than {limits.max_pixels} pixels")
    if max(width, height) > limits.max_aspect * min(width, height):
        raise MediaFault(
            "aspect",
            f"a picture is {width} x {height} pixels, more than {limits.max_aspect:g} times as "
            "long as wide (max_aspect)",
        )


def check_header(video: VideoStream, sound: AudioStream | None, limits: Limits) -> None:
    """Raise MediaFault where a header asks for more than `limits` allow."""
    if video.width and video.height:
        check_size(video.width, video.height, limits)
    aspect = video.sample_aspect_ratio or Fraction(1)
    if max(aspect, 1 / aspect) > limits.max_aspect:
        raise MediaFault(
            "aspect",
            f"a pixel is {aspect.numerator} wide by {aspect.denominator} high, more than "
            f"{limits.max_aspect:g} times as long as wide (max_aspect)",
        )
    if sound is not None:
        _check_sound(sound.sample_rate, channels_of(sound), limits)


def _check_sound(rate: int, channels: Channels, limits: Limits) -> None:
    if channels.own_order:
        raise MediaFault(
            "sound-layout", f"the sound has its channels in an unusual order: {channels.name}"
        )
    if rate > limits.max_sound_rate:
        raise MediaFault(
            "sound-rate",
            f"the sound has {rate} samples per second, more than {limits.max_sound_rate} "
            "(max_sound_rate)",
        )
    if channels.count > limits.max_channels:
        raise MediaFault(
            "channels",
            f"the sound has {channels.count} channels, more than {limits.max_channels} "
            "(max_channels)",
        )


def check_total(pictures: int, pixels: int, limits: Limits) -> None:
    """Raise MediaFault for too many pixels in all pictures together."""
    if pictures * pixels > limits.max_total_pixels:
        raise MediaFault(
            "too-much",
            f"the pictures together have more than {limits.max_total_pixels:g} pixels "
            "(max_total_pixels)",
        )


def check_rate(pictures: int, seconds: Fraction, limits: Limits) -> None:
    """Raise MediaFault for more pictures per second than a film has."""
    if pictures - 1 > limits.max_rate * seconds:
        raise MediaFault(
            "rate",
            f"there are {pictures} pictures in {float(seconds):.3f} seconds, more than "
            f"{limits.max_rate:g} per second (max_rate)",
        )


def check_repeats(packets: int, places: int, limits: Limits) -> None:
    """Raise MediaFault where an index names the same bytes again and again."""
    if packets - places > limits.max_repeats:
        raise MediaFault(
            "repeated",
            f"the file names {packets} pictures and holds {places}: more than "
            f"{limits.max_repeats} of them are repeated (max_repeats)",
        )


def check_concealed(concealed: int, total: int, what: str, limits: Limits) -> None:
    """Raise MediaFault where too large a share of `what` is lost or made up by the decoder."""
    if concealed > limits.max_concealed * total:
        raise MediaFault(
            "concealed",
            f"{concealed} of {total} {what} are damaged or missing, more than "
            f"{limits.max_concealed:.1%} (max_concealed)",
        )
