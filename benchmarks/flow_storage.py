"""Ways to keep quantised flow: bytes per pair, and how fast it is written and read."""

import io
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import av
import cv2
import numpy as np
import pyarrow as pa
from PIL import Image

from mmx.flow.store import FlowHeader, FlowPair, FlowWriter, read_flow

Images = list[np.ndarray]
Encode = Callable[[Images], list[bytes]]
Decode = Callable[[list[bytes], tuple[int, int]], Images]


@dataclass(frozen=True)
class Way:
    """What one way of keeping flow costs, per pair, with one thread."""

    name: str
    bytes: float
    write_ms: float
    read_ms: float
    lossless: bool


def stacked(image: np.ndarray) -> np.ndarray:
    """Horizontal above vertical movement: (2 H, W)."""
    return np.concatenate([image[..., 0], image[..., 1]])


def unstacked(picture: np.ndarray) -> np.ndarray:
    """The other way: (H, W, 2)."""
    return np.stack(np.split(picture, 2), axis=-1)


def codec(name: str, pixels: str, **options: str) -> tuple[Encode, Decode]:
    """A video codec of FFmpeg, one stream per video, planes stacked; even sizes by repeating."""
    even = name == "libx264"

    def padded(image: np.ndarray) -> np.ndarray:
        picture = stacked(image)
        return np.pad(picture, ((0, 0), (0, picture.shape[1] % 2)), "edge") if even else picture

    headers: list[bytes] = []

    def encode(images: Images) -> list[bytes]:
        height, width = padded(images[0]).shape
        encoder = cast(av.VideoCodecContext, av.VideoCodecContext.create(name, "w"))
        encoder.width, encoder.height, encoder.pix_fmt = width, height, pixels
        encoder.time_base, encoder.thread_count, encoder.options = Fraction(1, 25), 1, dict(options)
        encoder.open()
        packets = []
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(padded(image), format=pixels)
            frame.pts = index
            packets += [bytes(packet) for packet in encoder.encode(frame)]
        packets += [bytes(packet) for packet in encoder.encode(None)]
        headers.append(bytes(encoder.extradata or b""))
        return packets

    def decode(packets: list[bytes], size: tuple[int, int]) -> Images:
        created = av.VideoCodecContext.create("h264" if even else name, "r")
        decoder = cast(av.VideoCodecContext, created)
        decoder.width, decoder.height = size[1] + size[1] % 2 * even, 2 * size[0]
        decoder.pix_fmt, decoder.thread_count = pixels, 1
        decoder.extradata = headers.pop(0) or None
        frames = [frame for data in packets for frame in decoder.decode(av.Packet(data))]
        frames += decoder.decode(None)
        return [unstacked(frame.to_ndarray()[: 2 * size[0], : size[1]]) for frame in frames]

    return encode, decode


def each(
    one: Callable[[np.ndarray], bytes], back: Callable[[bytes, tuple[int, int]], np.ndarray]
) -> tuple[Encode, Decode]:
    """Every image by itself; `back` takes its bytes and (H, W)."""
    return (
        lambda images: [one(image) for image in images],
        lambda packets, size: [back(packet, size) for packet in packets],
    )


def png(level: int) -> tuple[Encode, Decode]:
    """Both planes above each other, as one PNG image."""

    def one(image: np.ndarray) -> bytes:
        return cv2.imencode(".png", stacked(image), [cv2.IMWRITE_PNG_COMPRESSION, level])[
            1
        ].tobytes()

    def back(data: bytes, _: tuple[int, int]) -> np.ndarray:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), 0)
        assert picture is not None
        return unstacked(picture)

    return each(one, back)


def jpeg_pair(quality: int) -> tuple[Encode, Decode]:
    """What published flow datasets keep: two JPEG pictures per pair."""

    def one(image: np.ndarray) -> bytes:
        parts = []
        for plane in np.moveaxis(image, -1, 0):
            buffer = io.BytesIO()
            Image.fromarray(np.ascontiguousarray(plane)).save(buffer, "JPEG", quality=quality)
            parts.append(buffer.getvalue())
        return len(parts[0]).to_bytes(4, "little") + b"".join(parts)

    def back(data: bytes, _: tuple[int, int]) -> np.ndarray:
        first = 4 + int.from_bytes(data[:4], "little")
        parts = (data[4:first], data[first:])
        return np.stack([np.asarray(Image.open(io.BytesIO(part))) for part in parts], axis=-1)

    return each(one, back)


def differences(level: int) -> tuple[Encode, Decode]:
    """Zstandard of what is left when each pixel is predicted from its neighbours."""

    def one(image: np.ndarray) -> bytes:
        picture = stacked(image)
        rest = np.diff(np.diff(picture, axis=0, prepend=0).astype(np.uint8), axis=1, prepend=0)
        data = rest.astype(np.uint8).tobytes()
        compressed: bytes = pa.Codec("zstd", level).compress(data, asbytes=True)
        return compressed

    def back(data: bytes, size: tuple[int, int]) -> np.ndarray:
        count = 2 * size[0] * size[1]
        rest = np.frombuffer(pa.Codec("zstd").decompress(data, count, asbytes=True), np.uint8)
        picture = rest.reshape(2 * size[0], size[1]).cumsum(1, dtype=np.uint8)
        return unstacked(picture.cumsum(0, dtype=np.uint8))

    return each(one, back)


FFV1 = {"level": "3", "slices": "4", "slicecrc": "1", "g": "1"}
WAYS: dict[str, tuple[Encode, Decode]] = {
    "FFV1, Golomb-Rice": codec("ffv1", "gray", **FFV1, coder="0"),
    "FFV1, range coder": codec("ffv1", "gray", **FFV1, coder="1"),
    "FFV1, range, large contexts": codec("ffv1", "gray", **FFV1, coder="1", context="1"),
    "FFV1, range, 100 dependent": codec("ffv1", "gray", **FFV1 | {"g": "100"}, coder="1"),
    "H.264 lossless": codec("libx264", "gray", qp="0", preset="veryfast", threads="1"),
    "JPEG-LS": codec("jpegls", "gray"),
    "FFVHuff": codec("ffvhuff", "gray", context="1"),
    "MagicYUV": codec("magicyuv", "gray", pred="median"),
    "PNG archive, level 1": png(1),
    "PNG archive, level 6": png(6),
    "differences, zstd 3": differences(3),
    "differences, zstd 9": differences(9),
    "JPEG pairs, quality 95 (lossy)": jpeg_pair(95),
}


def measure_ways(images: Images) -> list[Way]:
    """Measure every way on the same images, neighbours of one size together; ours first.

    Ours writes one image beforehand: the first use of Arrow loads what it needs.
    """
    videos = [list(group) for _, group in groupby(images, key=lambda image: image.shape)]
    _measure_ours([images[:1]])
    ways = [_measure_ours(videos)]
    return ways + [_measure(name, *way, videos) for name, way in WAYS.items()]


def _measure(name: str, encode: Encode, decode: Decode, videos: list[Images]) -> Way:
    start = time.thread_time()
    packets = [encode(images) for images in videos]
    written = time.thread_time()
    back = [decode(p, images[0].shape[:2]) for p, images in zip(packets, videos, strict=True)]
    read = time.thread_time()
    size = sum(len(packet) for video in packets for packet in video)
    return _way(name, size, written - start, read - written, _same(videos, back), videos)


def _measure_ours(videos: list[Images]) -> Way:
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{index}.flow" for index in range(len(videos))]
        start = time.thread_time()
        for path, images in zip(paths, videos, strict=True):
            height, width = images[0].shape[:2]
            with FlowWriter(path, FlowHeader(height, width, 20.0)) as writer:
                for index, image in enumerate(images):
                    writer.write(FlowPair(0, index, index + 1), image)
        written = time.thread_time()
        back = [[flow.image for flow in read_flow(path)] for path in paths]
        read = time.thread_time()
        size = sum(path.stat().st_size for path in paths)
        same = _same(videos, back)
    return _way("as stored: a flow file", size, written - start, read - written, same, videos)


def _same(videos: list[Images], back: Iterable[Images]) -> bool:
    pairs = ((a, b) for one, other in zip(videos, back, strict=True)
             for a, b in zip(one, other, strict=True))  # fmt: skip
    return all(np.array_equal(a, b) for a, b in pairs)


def _way(name: str, size: int, write: float, read: float, same: bool, videos: list[Images]) -> Way:
    count = sum(map(len, videos))
    return Way(name, size / count, 1000 * write / count, 1000 * read / count, same)
