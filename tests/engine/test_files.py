"""A file that an item reads: untouched, touched, replaced before, replaced meanwhile, gone."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from mmx.engine import files
from mmx.engine.canonical import bytes_digest, file_digest
from mmx.engine.files import FileState, InputChangedError, InputFile, unchanged

OLD, NEW = b"old bytes", b"new bytes"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a film.mp4"
    path.write_bytes(OLD)
    return path


@pytest.fixture
def known(path: Path) -> InputFile:
    return InputFile(path, bytes_digest(OLD), FileState.of(path))


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were hashed."""
    paths: list[Path] = []

    def digest(path: Path) -> str:
        paths.append(path)
        return file_digest(path)

    monkeypatch.setattr(files, "file_digest", digest)
    return paths


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def replace(path: Path, content: bytes = NEW) -> None:
    """Another file of the same size and time takes the name."""
    before = path.stat()
    other = path.with_name("other")
    other.write_bytes(content)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def overwrite(path: Path) -> None:
    """The same file gets other bytes of the same number, and its time back."""
    before = path.stat()
    path.write_bytes(NEW)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES = pytest.mark.parametrize(
    ("change", "words"),
    [
        (replace, "has other bytes than its digest says"),
        (overwrite, "has other bytes than its digest says"),
        (lambda path: path.write_bytes(OLD + NEW), "has other bytes than its digest says"),
        (Path.unlink, "is gone"),
    ],
    ids=["replaced", "overwritten", "longer", "deleted"],
)
EQUAL = pytest.mark.parametrize(
    "change", [touch, lambda path: replace(path, OLD)], ids=["touched", "copied"]
)


def test_an_untouched_file_is_not_read(known: InputFile, hashed: list[Path]) -> None:
    with unchanged([known]):
        pass
    assert hashed == []


@EQUAL
def test_equal_bytes_pass_before(
    known: InputFile, hashed: list[Path], change: Callable[[Path], object]
) -> None:
    change(known.path)
    with unchanged([known]):
        pass
    assert hashed == [known.path]


@EQUAL
def test_equal_bytes_pass_after(
    known: InputFile, hashed: list[Path], change: Callable[[Path], object]
) -> None:
    with unchanged([known]):
        change(known.path)
    assert hashed == [known.path]


@CHANGES
@pytest.mark.parametrize("state", [True, False], ids=["known", "unknown"])
def test_a_change_before_is_an_error(
    known: InputFile, change: Callable[[Path], object], words: str, state: bool
) -> None:
    change(known.path)
    file = known if state else InputFile(known.path, known.sha256)
    with pytest.raises(InputChangedError, match=words), unchanged([file]):
        pytest.fail("the item must not run")


@CHANGES
@pytest.mark.parametrize("state", [True, False], ids=["known", "unknown"])
def test_a_change_during_is_an_error(
    known: InputFile, change: Callable[[Path], object], words: str, state: bool
) -> None:
    file = known if state else InputFile(known.path, known.sha256)
    with pytest.raises(InputChangedError, match=words), unchanged([file]):
        change(known.path)


def test_a_fault_of_a_file_that_was_replaced_is_no_fault_of_the_file(known: InputFile) -> None:
    with pytest.raises(InputChangedError), unchanged([known]):
        replace(known.path)
        raise ValueError("damaged")


def test_an_error_over_an_unchanged_file_passes_through(known: InputFile) -> None:
    with pytest.raises(ValueError, match="damaged"), unchanged([known]):
        raise ValueError("damaged")


def test_each_of_several_files_is_held(tmp_path: Path, known: InputFile) -> None:
    second = tmp_path / "second.mp4"
    second.write_bytes(OLD)
    both = iter([known, InputFile(second, bytes_digest(OLD))])
    with pytest.raises(InputChangedError, match=r"^second\.mp4 "), unchanged(both):
        second.write_bytes(NEW)


def test_the_message_names_the_file_and_the_ways_on_but_no_folder(known: InputFile) -> None:
    known.path.unlink()
    with pytest.raises(InputChangedError) as caught, unchanged([known]):
        pass
    text = str(caught.value)
    assert text.startswith("a film.mp4 is gone: `dvc repro` makes it again")
    assert "`dvc repro`" in text and str(known.path.parent) not in text
    assert str(pickle.loads(pickle.dumps(caught.value))) == text


def test_a_link_has_the_state_of_its_file(known: InputFile, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(known.path)
    assert FileState.of(link) == known.state


def test_a_state_is_a_text_and_back(known: InputFile) -> None:
    assert FileState.parse(str(known.state)) == known.state
    for text in ("", "1:2", "1:2:3:4:5:6", "a:b:c:d:e"):
        with pytest.raises(ValueError):
            FileState.parse(text)


def test_a_state_counts_only_with_its_digest(known: InputFile) -> None:
    states = {FileState.of(known.path): known.sha256}
    assert InputFile.known(known.path, known.sha256, states) == known
    assert InputFile.known(known.path, bytes_digest(NEW), states).state is None
    replace(known.path)
    assert InputFile.known(known.path, known.sha256, states).state is None
    known.path.unlink()
    assert InputFile.known(known.path, known.sha256, states).state is None
