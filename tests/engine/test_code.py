from pathlib import Path

import pytest

from mmx.engine.code import code_digest, source_digest

BODY = '''
"""Module."""
LIMIT = 3

def helper(x: int) -> int:
    """Say what."""
    return x + LIMIT  # why

class Thing:
    field: int
    """Unit."""
'''


def digest_of(text: str, tmp_path: Path, name: str = "module.py") -> str:
    path = tmp_path / name
    path.write_text(text)
    source_digest.cache_clear()
    return source_digest(path)


@pytest.mark.parametrize(
    "old, new",
    [
        ("# why", "# because"),
        ('"""Say what."""', '"""Say it otherwise, at length."""'),
        ('"""Module."""', ""),
        ('"""Unit."""', '"""Pixels."""'),
        ("\n\nclass", "\n\n\n\nclass"),
    ],
)
def test_words_and_blank_lines_change_nothing(old: str, new: str, tmp_path: Path):
    assert digest_of(BODY, tmp_path) == digest_of(BODY.replace(old, new), tmp_path, "other.py")


@pytest.mark.parametrize(
    "old, new",
    [("LIMIT = 3", "LIMIT = 4"), ("x + LIMIT", "LIMIT + x"), ("field: int", "field: float")],
)
def test_any_other_change_counts(old: str, new: str, tmp_path: Path):
    assert digest_of(BODY, tmp_path) != digest_of(BODY.replace(old, new), tmp_path, "other.py")


def test_a_room_covers_all_its_modules_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    room = tmp_path / "somewhere" / "deep"
    room.mkdir(parents=True)
    (tmp_path / "somewhere" / "__init__.py").touch()
    (tmp_path / "somewhere" / "beside.py").write_text("a = 1")
    (room / "__init__.py").touch()
    (room / "inner.py").write_text("b = 1")
    monkeypatch.syspath_prepend(str(tmp_path))

    def digest() -> str:
        source_digest.cache_clear()
        return code_digest(["somewhere.deep"])

    before = digest()
    (tmp_path / "somewhere" / "beside.py").write_text("a = 2")
    assert digest() == before
    (room / "inner.py").write_text("b = 2")
    assert digest() != before


def test_an_unknown_room_is_an_error():
    with pytest.raises(ModuleNotFoundError):
        code_digest(["mmx.no_such_room"])
