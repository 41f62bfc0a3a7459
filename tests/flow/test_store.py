"""The flow file: what goes in comes out, equal bytes, and every kind of damage is seen."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mmx.flow.store import (
    DamagedFlowError,
    FlowHeader,
    FlowPair,
    FlowWriter,
    read_flow,
    read_flow_index,
    read_header,
)

SHAPES = [(48, 70), (17, 23), (2, 2), (64, 16)]


def images(count: int, shape: tuple[int, int]) -> list[tuple[FlowPair, np.ndarray]]:
    rng = np.random.default_rng(6)
    return [
        (FlowPair(n // 3, 10 * n, 10 * n + 1), rng.integers(90, 170, (*shape, 2), dtype=np.uint8))
        for n in range(count)
    ]


def write(
    path: Path,
    records: Iterable[tuple[FlowPair, np.ndarray]],
    shape: tuple[int, int],
    bound: float = 20.0,
) -> Path:
    with FlowWriter(path, FlowHeader(height=shape[0], width=shape[1], bound=bound)) as writer:
        for pair, image in records:
            writer.write(pair, image)
    return path


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [0, 1, 67])
def test_images_come_back_in_order(tmp_path: Path, shape: tuple[int, int], count: int) -> None:
    records = images(count, shape)
    path = write(tmp_path / "x.flow", records, shape, bound=8.5)
    assert read_header(path) == FlowHeader(*shape, bound=8.5)
    assert list(read_flow_index(path)) == [pair for pair, _ in records]
    found = list(read_flow(path))
    assert [(flow.clip, flow.prev_index, flow.next_index) for flow in found] == [
        tuple(pair) for pair, _ in records
    ]
    for flow, (_, image) in zip(found, records, strict=True):
        assert np.array_equal(flow.image, image)


def test_equal_images_give_equal_bytes(tmp_path: Path) -> None:
    records = images(5, (40, 60))
    first, second = (write(tmp_path / name, records, (40, 60)) for name in ("a.flow", "b.flow"))
    assert first.read_bytes() == second.read_bytes()


def test_any_arrow_reader_lists_it(tmp_path: Path) -> None:
    path = write(tmp_path / "x.flow", images(4, (40, 60)), (40, 60))
    table = pa.ipc.open_stream(path.read_bytes()).read_all()
    assert table.drop(["crc32", "packet"]).to_pydict() == {
        "clip": [0, 0, 0, 1],
        "prev_index": [0, 10, 20, 30],
        "next_index": [1, 11, 21, 31],
    }


def test_wrong_images_are_refused(tmp_path: Path) -> None:
    with FlowWriter(tmp_path / "x.flow", FlowHeader(8, 9, 20.0)) as writer:
        for bad in (np.zeros((9, 8, 2), np.uint8), np.zeros((8, 9, 2), np.int8)):
            with pytest.raises(ValueError, match="a flow image is"):
                writer.write(FlowPair(0, 0, 1), bad)


def read_all(path: Path) -> list[np.ndarray]:
    return [flow.image for flow in read_flow(path)]


def test_every_flipped_bit_is_seen_or_harmless(tmp_path: Path) -> None:
    """Flip a bit at places all over the file: either an error, or exactly what was written."""
    records = images(3, (24, 32))
    path = write(tmp_path / "x.flow", records, (24, 32))
    whole = path.read_bytes()
    refused = 0
    for place in range(0, len(whole), 41):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            found = [(flow.prev_index, flow.image.tobytes()) for flow in read_flow(path)]
        except DamagedFlowError:
            refused += 1
        else:
            assert found == [(pair.prev_index, image.tobytes()) for pair, image in records]
    assert refused > len(whole) // 41 // 2


def test_a_flipped_bit_of_a_packet_is_always_seen(tmp_path: Path) -> None:
    path = write(tmp_path / "x.flow", images(1, (24, 32)), (24, 32))
    whole = path.read_bytes()
    packet = pa.ipc.open_stream(whole).read_all()["packet"][0].as_py()
    start = whole.index(packet)
    for place in range(start, start + len(packet), 97):
        damaged = bytearray(whole)
        damaged[place] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(DamagedFlowError, match="checksum"):
            read_all(path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_cut_short_is_refused(tmp_path: Path, share: float) -> None:
    path = write(tmp_path / "x.flow", images(130, (8, 8)), (8, 8))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DamagedFlowError):
        read_all(path)


def test_a_failed_writer_leaves_no_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "x.flow"
    with pytest.raises(RuntimeError), FlowWriter(path, FlowHeader(8, 8, 20.0)) as writer:
        writer.write(FlowPair(0, 0, 1), np.zeros((8, 8, 2), np.uint8))
        raise RuntimeError
    with pytest.raises(DamagedFlowError):
        read_all(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.flow"
    with pa.ipc.new_stream(str(path), pa.schema([("clip", pa.int32())])):
        pass
    for content in (path.read_bytes(), b"", b"RIFF" + bytes(100)):
        path.write_bytes(content)
        with pytest.raises(DamagedFlowError):
            read_header(path)
