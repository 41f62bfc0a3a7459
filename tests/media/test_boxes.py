from pathlib import Path

import pytest
from coded_film import Film, make

from mmx.media.boxes import declared_end, top_level_boxes
from mmx.media.faults import MediaFault
from mmx.media.probe import probe

NAMES = {"a.mp4": "mov,mp4", "a.mkv": "matroska,webm", "a.avi": "avi"}


def test_boxes_of_an_iso_file(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", Film(frames=10))
    assert [kind for kind, _ in top_level_boxes(path)] == [b"ftyp", b"free", b"mdat", b"moov"]
    path.write_bytes(b"\0\0\0\1mdat" + (24).to_bytes(8, "big") + bytes(8) + b"\0\0\0\0free")
    assert top_level_boxes(path) == [(b"mdat", 24), (b"free", 32)]
    path.write_bytes(b"\0\0\0\2mdat")
    assert top_level_boxes(path) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_file_says_how_long_it_is(tmp_path: Path, name: str) -> None:
    muxer = {"movflags": "+faststart"} if name == "a.mp4" else {}
    film = Film(frames=30, video="mpeg4", video_options={}, sound="mp2", muxer=muxer)
    path = make(tmp_path / name, film)
    whole = path.read_bytes()
    assert declared_end(path, NAMES[name]) == len(whole)
    path.write_bytes(whole + b"more")
    assert declared_end(path, NAMES[name]) == len(whole)
    path.write_bytes(whole[:-40])
    with pytest.raises(MediaFault):
        probe(path)


def test_a_live_file_does_not_say(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mkv", Film(frames=10, muxer={"live": "1"}))
    assert declared_end(path, "matroska,webm") == 0
    assert probe(path).frames_from_content == 10


@pytest.mark.parametrize("data", [b"", b"\x1aE\xdf\xa3", b"\x1aE\xdf\xa3\0", bytes(50)])
def test_anything_else_says_nothing(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(data)
    for name in (*NAMES.values(), "ogg"):
        assert declared_end(path, name) == 0
