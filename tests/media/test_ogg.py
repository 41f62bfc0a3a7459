from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mmx.media.faults import MediaFault
from mmx.media.ogg import read_pages
from mmx.media.probe import probe

if TYPE_CHECKING:
    from tests.media.conftest import Shelf


@pytest.fixture
def whole(shelf: "Shelf") -> bytes:
    return shelf["theora.ogv"].read_bytes()


def pages(data: bytes) -> list[bytes]:
    return [b"OggS" + page for page in data.split(b"OggS")[1:]]


def test_a_whole_file_ends(shelf: "Shelf") -> None:
    found = read_pages(shelf["theora.ogv"])
    assert (found.damaged, found.open_streams) == (0, set())
    assert probe(shelf["theora.ogv"]).end_known


@pytest.mark.parametrize("change", ["bit", "lost", "inserted", "cut"])
def test_damage_is_named(whole: bytes, tmp_path: Path, change: str) -> None:
    parts = pages(whole)
    middle = len(parts) // 2
    if change == "bit":
        parts[middle] = parts[middle][:-9] + bytes([parts[middle][-9] ^ 1]) + parts[middle][-8:]
    elif change == "lost":
        del parts[middle]
    elif change == "inserted":
        parts.insert(middle, b"what is this?" * 9)
    else:
        parts[-1] = parts[-1][:-5]
    path = tmp_path / "a.ogv"
    path.write_bytes(b"".join(parts))
    assert read_pages(path).damaged == 1
    with pytest.raises(MediaFault):
        probe(path)


def test_a_clean_cut_leaves_the_end_open(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.ogv"
    path.write_bytes(b"".join(pages(whole)[:-1]))
    assert read_pages(path).damaged == 0 and len(read_pages(path).open_streams) == 1
    assert not probe(path).end_known
