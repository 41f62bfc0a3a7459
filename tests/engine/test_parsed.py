"""Notes about source texts are right or unused, and never needed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mmx.engine import parsed
from mmx.engine.parsed import noted, remember_in


@pytest.fixture(autouse=True)
def notes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Notes of a process of their own; nothing is registered for its end."""
    monkeypatch.setattr(parsed, "_notes", parsed._Notes())
    monkeypatch.setattr("mmx.engine.parsed.atexit.register", lambda function: None)
    yield


def next_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """End this process, as far as notes go, and begin another."""
    parsed._keep()
    monkeypatch.setattr(parsed, "_notes", parsed._Notes())


def never() -> list[str]:
    raise AssertionError("the text is parsed again")


def test_a_text_is_parsed_once_by_all_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember_in(tmp_path / "parsed.json")
    assert noted("words", "a b", lambda: ["a", "b"]) == ["a", "b"] == noted("words", "a b", never)
    next_process(monkeypatch)
    remember_in(tmp_path / "parsed.json")
    assert noted("words", "a b", never) == ["a", "b"]
    assert noted("letters", "a b", lambda: [3]) == [3] and noted("words", "a", lambda: []) == []


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\n{}"])
def test_a_damaged_file_is_not_used(
    damage: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "parsed.json"
    remember_in(place)
    noted("words", "a", lambda: ["a"])
    next_process(monkeypatch)
    place.write_bytes(damage or place.read_bytes().replace(b'"a"', b'"b"'))
    remember_in(place)
    assert noted("words", "a", lambda: ["again"]) == ["again"]


def test_notes_of_other_code_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember_in(tmp_path / "parsed.json")
    noted("words", "a", lambda: ["a"])
    next_process(monkeypatch)
    monkeypatch.setattr("mmx.engine.parsed.sys.version", "another")
    remember_in(tmp_path / "parsed.json")
    assert noted("words", "a", lambda: ["again"]) == ["again"]


def test_no_folder_is_made_for_notes(tmp_path: Path) -> None:
    remember_in(tmp_path / ".mmx" / "parsed.json")
    noted("words", "a", lambda: ["a"])
    parsed._keep()
    assert not (tmp_path / ".mmx").exists()


def test_only_so_many_unused_notes_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsed, "_MOST", 3)
    place = tmp_path / "parsed.json"
    remember_in(place)
    for text in "abc":
        noted("words", text, text.split)
    next_process(monkeypatch)
    remember_in(place)
    assert noted("words", "d", lambda: ["d"]) == ["d"] and noted("words", "a", never) == ["a"]
    next_process(monkeypatch)
    remember_in(place)
    assert noted("words", "a", never) == ["a"] and noted("words", "b", lambda: ["new"]) == ["new"]
