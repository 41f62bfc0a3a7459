"""What ingest found survives its end, whenever that comes, and nothing else passes for it."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mmx.engine.canonical import canonical
from mmx.engine.files import FileState
from mmx.media.faults import Limits
from mmx.trailers import inspection as inspection_module
from mmx.trailers.inspection import inspect_files
from mmx.trailers.inspection_log import (
    Inspection,
    InspectionLog,
    drop_inspections,
    known_states,
)

if TYPE_CHECKING:
    from tests.trailers.conftest import UserFiles

ONE = FileState(1, 2, 3, 4, 5)
TWO = FileState(1, 3, 3, 4, 5)
FOUND = Inspection("a" * 64, 3, {"duration_s": 1.5, "has_audio": True})
FAULTY = Inspection("b" * 64, 3, None, "it is empty")
LINE = {"state": "1:2:3:4:5", "stamp": "s", "found": {"sha256": "a" * 64, "size": 3, "facts": None}}


@pytest.fixture
def log(tmp_path: Path) -> InspectionLog:
    return InspectionLog(tmp_path / "store" / "inspections.json", "s")


def write(log: InspectionLog) -> None:
    with log.appending() as append:
        append(ONE, FOUND)
        append(TWO, FAULTY)


def test_what_was_appended_is_known_at_once(log: InspectionLog) -> None:
    with log.appending() as append:
        append(ONE, FOUND)
        assert log.load() == {ONE: FOUND}
        append(TWO, FAULTY)
        assert log.load() == {ONE: FOUND, TWO: FAULTY}


def test_another_stamp_knows_the_digest_alone(log: InspectionLog) -> None:
    write(log)
    assert InspectionLog(log.path, "other").load() == {}
    assert known_states(log.path) == {ONE: "a" * 64, TWO: "b" * 64}


def test_every_byte_at_which_a_crash_can_cut_leaves_the_lines_before(log: InspectionLog) -> None:
    write(log)
    whole = log.path.read_bytes()
    first = whole.index(b"\n", 1)
    for length in range(len(whole)):
        log.path.write_bytes(whole[:length])
        assert log.load() == ({ONE: FOUND} if length >= first else {})
        with log.appending() as append:
            append(TWO, FAULTY)
        assert log.load().pop(TWO) == FAULTY


def test_what_is_kept_replaces_the_rest(log: InspectionLog) -> None:
    write(log)
    log.keep_only({TWO: FAULTY})
    assert log.load() == {TWO: FAULTY}
    assert known_states(log.path) == {TWO: "b" * 64}


def test_forgotten_videos_leave_no_line(log: InspectionLog) -> None:
    assert drop_inspections(log.path, {"a" * 64}) == 0 and not log.path.exists()
    write(log)
    log.path.write_bytes(log.path.read_bytes() + b'\n{"files":{"' + b"a" * 64)
    assert drop_inspections(log.path, {"a" * 64}) == 1
    assert log.load() == {TWO: FAULTY} and b"a" * 64 not in log.path.read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"\xff",
        b"[" * 100_000,
        b'{"stamp": 1e400, "files": {}}',
        b'{"stamp": "s", "files": {"1:2:3:4:5": {}}}',
        *(canonical({name: LINE[name] for name in LINE if name != left}) for left in LINE),
        canonical({**LINE, "state": "1:2:3:4"}),
        canonical({**LINE, "state": 1}),
        canonical({**LINE, "found": []}),
        canonical({**LINE, "found": {"sha256": "a", "size": 3, "facts": None}}),
        canonical({**LINE, "found": {"sha256": "a" * 64, "size": "3", "facts": None}}),
        canonical({**LINE, "found": {"sha256": "a" * 64, "size": 3, "facts": 1}}),
        canonical({**LINE, "found": {"sha256": "a" * 64, "size": 3, "facts": None, "x": 1}}),
    ],
)
def test_what_is_no_line_is_passed_over(log: InspectionLog, content: bytes) -> None:
    log.path.parent.mkdir()
    log.path.write_bytes(content)
    assert log.load() == {} and known_states(log.path) == {}
    with log.appending() as append:
        append(TWO, FAULTY)
    assert log.load() == {TWO: FAULTY}


def test_a_pipe_in_its_place_is_replaced(log: InspectionLog) -> None:
    log.path.parent.mkdir()
    os.mkfifo(log.path)
    assert log.load() == {}
    write(log)
    assert log.load() == {ONE: FOUND, TWO: FAULTY}


def test_an_interrupted_ingest_reads_no_finished_video_again(
    user_files: "UserFiles", log: InspectionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [user_files.add(name) for name in ("a.mp4", "b.mp4", "c.mp4", "d.mp4")]
    read: list[Path] = []
    on_disk: list[int] = []

    def interrupted(fn: Any, items: Sequence[Path], *, workers: int) -> Iterator[Any]:
        for path in items:
            on_disk.append(len(known_states(log.path)))
            if len(read) == 2:
                raise KeyboardInterrupt
            read.append(path)
            yield (path,), fn([path])

    with monkeypatch.context() as patch:
        patch.setattr(inspection_module, "map_items", interrupted)
        with pytest.raises(KeyboardInterrupt):
            inspect_files(paths, Limits(), log.path, workers=1)
    # Each result is in the file before the next is asked for, so that SIGKILL costs no more.
    assert on_disk == [0, 1, 2]

    def counted(fn: Any, items: Sequence[Path], *, workers: int) -> Iterator[Any]:
        read.extend(items)
        yield from (((path,), fn([path])) for path in items)

    monkeypatch.setattr(inspection_module, "map_items", counted)
    found = inspect_files(paths, Limits(), log.path, workers=1)
    assert read == paths == list(found)
    before = log.path.stat()
    assert inspect_files(paths, Limits(), log.path, workers=1) == found
    assert log.path.stat() == before
