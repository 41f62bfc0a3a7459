"""YAML that people write: one sentence with the line, whatever the file holds."""

import os
import re
from pathlib import Path

import pytest

from mmx.yamlfile import YamlError, read_document, read_yaml

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("é: 1\nb: é".encode("latin-1"), "is not UTF-8: line 1: byte 0"),
        ("a: 1\nb: é".encode("latin-1"), "is not UTF-8: line 2: byte 8"),
        ("a: 1".encode("utf-16"), "is not UTF-8: line 1: byte 0"),
        (b"a: \xed\xa0\x80", "is not UTF-8: line 1: byte 3"),
        (b"a: 1\nb: \0", r"is not YAML: line 2: the character '\x00' is not allowed"),
        (b"a: 1\nb: 2024-13-45", "is not YAML: line 2: month must be in 1..12"),
        (b"a: 0001-01-01T00:00:00+99:99", "is not YAML: line 1: offset must be"),
        (b"a: 1\n\nb: " + b"9" * 5000, "is not YAML: line 3: a number has too many digits"),
        (b"a:\n  " + b"[" * 3000, "is not YAML: line 2: it is nested more than 50 deep"),
        (b"{a: " * 3000, "is not YAML: line 1: it is nested more than 50 deep"),
        (b"- " * 3000, "is not YAML: line 1: it is nested more than 50 deep"),
        (BOMB.encode(), "is not YAML: line 5: it has more than 100000 keys and values"),
        (b"a: &a\n  b: *a", "is not YAML: line 2: an alias contains itself"),
        (b"a: *nobody", "is not YAML: line 1: found undefined alias 'nobody'"),
        (b"a: 1\nb: 2\na: 3", "is not YAML: line 3: the key 'a' appears twice"),
        (b"a:\n  b: {c: 1, c: 2}", "is not YAML: line 2: the key 'c' appears twice"),
        (b"a: 1\nb: [", "is not YAML: line 2: expected the node content, but found"),
        (b"a: 1\n---\nb: 2", "is not YAML: line 2: but found another document"),
        (b"a: !!python/object:os.system x", "is not YAML: line 1: could not determine"),
        (b"a: !!bool maybe", "is not YAML: line 1: the value is not what its tag says"),
        (b"a: !!timestamp never", "is not YAML: line 1: the value is not what its tag says"),
        (b"a: !!int x", "is not YAML: line 1: invalid literal for int"),
        (b"a: !!set [a]", "is not YAML: line 1: expected a mapping node"),
        (b"a: 1\n? [b]\n: 1", "is not YAML: line 2: found unhashable key"),
        (b"a:\n\t- b", "is not YAML: line 2: a tab, where only spaces may indent"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(content)
    with pytest.raises(YamlError, match=f"^{re.escape(f'{path} {said}')}") as caught:
        read_yaml(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(YamlError, match="pipe cannot be read: it is a pipe or a device"):
        read_yaml(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(YamlError, match="large cannot be read: it has 1048577 bytes, more than"):
        read_yaml(tmp_path / "large")
    with pytest.raises(FileNotFoundError):
        read_yaml(tmp_path / "nothing")


def test_aliases_that_end_are_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}\n")
    assert read_yaml(tmp_path / "f") == {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1, "y": 2}}


def test_a_key_is_found_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("a:\n  b:\n    - c\n    - {d: 1}\n")
    document = read_document(tmp_path / "f")
    assert document.find(["a", "b", 1, "d"]) == ("a.b.1.d", 4)
    assert document.find(["a", "x", "b"]) == ("a.b", 2)
    assert document.find([]) == ("", 1)
