"""One file of flow images per trailer: lossless, read in order, every record checked.

The file is an Arrow stream, so that any Arrow reader lists it: a row per image with its clip, its
two frames, a CRC-32 and one FFV1 packet. Each packet is a key frame of a grey picture that shows
the horizontal flow above the vertical. The schema's metadata hold one JSON object: sizes, the
bound of the quantisation, and the codec's header.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, cast

import av
import numpy as np
import pyarrow as pa

from mmx.errors import UserError

FORMAT = "mmx.flow/1"
_KEY = b"mmx.flow"
_CODEC = "ffv1"
_OPTIONS = {"level": "3", "coder": "1", "context": "0", "g": "1", "slices": "4", "slicecrc": "1"}
_BATCH = 64
_END = b"\xff\xff\xff\xff\0\0\0\0"
"""What an Arrow stream ends with; without it, Arrow takes a file cut between batches as whole."""
_COLUMNS = [
    pa.field("clip", pa.int32(), nullable=False),
    pa.field("prev_index", pa.int64(), nullable=False),
    pa.field("next_index", pa.int64(), nullable=False),
    pa.field("crc32", pa.uint32(), nullable=False),
    pa.field("packet", pa.binary(), nullable=False),
]


class DamagedFlowError(UserError):
    """A flow file is not whole, or not what it says."""

    def __str__(self) -> str:
        """Return what is wrong and what to do."""
        how = "`mmx repair` takes it out, `dvc repro` makes it again"
        return f"a flow file is damaged, {super().__str__()}: {how}"


class FlowPair(NamedTuple):
    """What a flow image belongs to."""

    clip: int
    """Index of the clip in its trailer."""
    prev_index: int
    """Frame of the video where the movement starts."""
    next_index: int
    """Frame of the video where it ends."""


@dataclass(frozen=True, eq=False)
class FlowImage:
    """The quantised flow from one frame to another."""

    clip: int
    """Index of the clip in its trailer."""
    prev_index: int
    """Frame of the video where the movement starts."""
    next_index: int
    """Frame of the video where it ends."""
    image: np.ndarray
    """uint8 levels, height x width x 2: movement to the right, then down. 128 is none."""


@dataclass(frozen=True)
class FlowHeader:
    """What is common to all images of a file."""

    height: int
    """Pixels."""
    width: int
    """Pixels."""
    bound: float
    """Pixels: level 0 is a movement of -bound, level 255 of +bound."""
    format: str = FORMAT
    """Version of the file's layout."""


class FlowWriter(AbstractContextManager["FlowWriter"]):
    """Writes a flow file, image by image; equal images give equal bytes."""

    def __init__(self, path: Path, header: FlowHeader) -> None:
        self._encoder = _encoder(header)
        self._rows: list[tuple[object, ...]] = []
        extradata = bytes(self._encoder.extradata or b"").hex()
        about = asdict(header) | {"codec": _CODEC, "extradata": extradata}
        text = json.dumps(about, sort_keys=True).encode()
        self._schema = pa.schema(_COLUMNS, metadata={_KEY: text})
        self._shape = (header.height, header.width, 2)
        self._file = path.open("wb")
        self._stream = pa.ipc.new_stream(self._file, self._schema)

    def write(self, pair: FlowPair, image: np.ndarray) -> None:
        """Append the image (uint8, height x width x 2) of a pair; ValueError for another shape."""
        if image.shape != self._shape or image.dtype != np.uint8:
            raise ValueError(
                f"a flow image is uint8 {self._shape}, not {image.dtype} {image.shape}"
            )
        stacked = np.ascontiguousarray(np.moveaxis(image, -1, 0)).reshape(-1, image.shape[1])
        (packet,) = self._encoder.encode(av.VideoFrame.from_ndarray(stacked, format="gray"))
        self._rows.append((*pair, checksum(pair, bytes(packet)), bytes(packet)))
        if len(self._rows) == _BATCH:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            columns = [
                pa.array(column, field.type)
                for column, field in zip(zip(*self._rows, strict=True), self._schema, strict=True)
            ]
            self._stream.write_batch(pa.record_batch(columns, schema=self._schema))
            self._rows.clear()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the file; after an error it is left without its end, which readers refuse."""
        if kind is None:
            self._flush()
            self._stream.close()
        self._file.close()


def checksum(pair: FlowPair, packet: bytes) -> int:
    """Return the CRC-32 of a record: its three indices and its packet."""
    return zlib.crc32(packet, zlib.crc32(struct.pack("<iqq", *pair)))


def read_header(path: Path) -> FlowHeader:
    """Return what is common to all images of a file; raise DamagedFlowError when it is none."""
    with FlowReader(path) as reader:
        return reader.header


def read_flow(path: Path) -> Iterator[FlowImage]:
    """Yield the images of a file in the order in which they were written, by rising clip and frame.

    Memory does not depend on their number. Raise DamagedFlowError at the first record that is
    damaged, or where the file ends too early; `mmx.flow.quantise.dequantise` gives pixels back.
    """
    with FlowReader(path) as reader:
        for pair, packet in reader.records():
            yield FlowImage(*pair, reader.decode(packet))


def read_flow_index(path: Path) -> Iterator[FlowPair]:
    """Yield what each image belongs to, without decoding; raise DamagedFlowError like read_flow."""
    with FlowReader(path) as reader:
        for pair, _ in reader.records():
            yield pair


class FlowReader(AbstractContextManager["FlowReader"]):
    """An open flow file."""

    def __init__(self, path: Path) -> None:
        self._source = pa.memory_map(str(path))
        try:
            with _damage(DamagedFlowError("the file does not begin or end as a flow file")):
                self.header, self._stream, self._decoder = _open(self._source)
        except DamagedFlowError:
            self._source.close()
            raise

    def __enter__(self) -> Self:
        """Return the reader itself."""
        return self

    def records(self) -> Iterator[tuple[FlowPair, bytes]]:
        """Yield each record's indices and packet, checked."""
        while batch := self._next_batch():
            for *indices, crc32, packet in zip(
                *(c.to_pylist() for c in batch.columns), strict=True
            ):
                pair = FlowPair(*indices)
                if checksum(pair, packet) != crc32:
                    raise DamagedFlowError(f"the flow of frames {pair[1:]} fails its checksum")
                yield pair, packet

    def _next_batch(self) -> pa.RecordBatch | None:
        with _damage(DamagedFlowError("the flow file is damaged")):
            batch = next(self._stream, None)
            if batch is not None:
                batch.validate(full=True)
            return batch

    def decode(self, packet: bytes) -> np.ndarray:
        """Return the image (uint8, height x width x 2) of a packet."""
        header = self.header
        with _damage(DamagedFlowError("a flow image cannot be decoded")):
            (frame,) = self._decoder.decode(av.Packet(packet))
            stacked = frame.to_ndarray().reshape(2, header.height, header.width)
            return np.ascontiguousarray(np.moveaxis(stacked, 0, -1))

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._source.close()


@contextmanager
def _damage(fault: DamagedFlowError) -> Iterator[None]:
    """Turn what the libraries raise over bad bytes into `fault`; let errors of the machine be."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and not isinstance(error, av.FFmpegError):
            raise
        raise fault from error
    except (pa.ArrowException, av.FFmpegError, KeyError, ValueError, TypeError) as error:
        raise fault from error


def _open(source: pa.MemoryMappedFile) -> tuple[FlowHeader, Any, av.VideoCodecContext]:
    """Return the header, the stream and a decoder of a file; ValueError when it is no flow file."""
    if source.size() < len(_END) or source.read_at(len(_END), source.size() - len(_END)) != _END:
        raise ValueError("no end")
    stream = pa.ipc.open_stream(source)
    about = json.loads((stream.schema.metadata or {})[_KEY])
    if about["format"] != FORMAT or stream.schema.names != [field.name for field in _COLUMNS]:
        raise ValueError("another format")
    extradata, codec = bytes.fromhex(about.pop("extradata")), about.pop("codec")
    header = FlowHeader(**about)
    return header, stream, _decoder(header, extradata, codec)


def _encoder(header: FlowHeader) -> av.VideoCodecContext:
    encoder = cast(av.VideoCodecContext, av.CodecContext.create(_CODEC, "w"))
    encoder.width, encoder.height = header.width, 2 * header.height
    encoder.pix_fmt = "gray"
    encoder.time_base = Fraction(1, 25)
    encoder.thread_count = 1
    encoder.options = dict(_OPTIONS)
    encoder.open()
    return encoder


def _decoder(header: FlowHeader, extradata: bytes, codec: str) -> av.VideoCodecContext:
    decoder = cast(av.VideoCodecContext, av.CodecContext.create(codec, "r"))
    decoder.width, decoder.height = header.width, 2 * header.height
    decoder.pix_fmt = "gray"
    decoder.thread_count = 1
    decoder.extradata = extradata
    return decoder
