"""data/fetched.csv: a line for every attempt, written once and never changed.

A line is appended by one write under a lock and flushed to disk before anything else is done, so
that a process that is killed, or a machine that stops, loses none.
"""

import csv
import fcntl
import io
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from mmx.acquisition.outcome import Outcome
from mmx.engine.files import FileRefusedError, read_regular
from mmx.errors import UserError
from mmx.trailers.columns import clipped
from mmx.trailers.csvfile import LARGEST, defuse, restore

OUTCOMES = frozenset(map(str, Outcome))


class LedgerError(UserError):
    """data/fetched.csv cannot be read or written."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A line of the ledger; its cells are text, empty where nothing is known."""

    date: str
    """When the line was written, UTC, ISO 8601."""
    trailer_id: str
    outcome: str
    """An `Outcome`."""
    url: str
    format: str = ""
    """Type of a plain file; format of YouTube, by its number there."""
    uploader: str = ""
    licence: str = ""
    """As the host states it."""
    bytes: str = ""
    sha256: str = ""
    video: str = ""
    """Name below data/videos."""
    reason: str = ""
    """Why it was not fetched."""
    year: str = ""
    """Of the film, as the list has it."""


COLUMNS = tuple(each.name for each in fields(Attempt))
FORMER = COLUMNS[:-1]
"""Of ledgers from before the year was written; newer lines of theirs have it all the same."""


def now() -> str:
    """Return the time as the ledger writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ledger_path(root: Path) -> Path:
    """Return the ledger of the project in `root`; it is in git."""
    return root / "data" / "fetched.csv"


def append(path: Path, attempt: Attempt) -> None:
    """Add a line and flush it to disk.

    A line that a full disk cut off is ended first. Raise LedgerError where that cannot be done.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            _write_all(descriptor, _beginning(descriptor) + _line(asdict(attempt).values()))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise LedgerError(f"data/{path.name} cannot be written: {error.strerror}") from error


def _beginning(descriptor: int) -> bytes:
    """Return what is missing before the next line: the header, or the end of a line."""
    size = os.fstat(descriptor).st_size
    if size == 0:
        return _line(COLUMNS)
    return b"" if os.pread(descriptor, 1, size - 1) == b"\n" else b"\n"


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _line(cells: Iterable[str]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow([defuse(clipped(cell)) for cell in cells])
    return text.getvalue().encode("utf-8", "replace")


def read_ledger(path: Path) -> list[Attempt]:
    """Return all attempts, oldest first; a line that was cut off is left out.

    Raise LedgerError for a file that is no ledger.
    """
    try:
        content = read_regular(path, LARGEST).decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    except (OSError, FileRefusedError) as error:
        raise LedgerError(f"data/{path.name} cannot be read: {error}") from None
    lines = content.splitlines()
    if lines and tuple(next(csv.reader(lines[:1]))) not in (COLUMNS, FORMER):
        raise LedgerError(f"data/{path.name} has other columns than {','.join(COLUMNS)}")
    # Line by line: a quotation mark that was cut off spoils one line.
    return [attempt for line in lines[1:] for attempt in _attempts(line)]


def _attempts(line: str) -> list[Attempt]:
    cells = next(csv.reader([line]), [])
    if (
        len(cells) not in (len(COLUMNS), len(FORMER))
        or cells[COLUMNS.index("outcome")] not in OUTCOMES
    ):
        return []
    return [Attempt(**dict(zip(COLUMNS, map(restore, cells), strict=False)))]


@dataclass(frozen=True)
class History:
    """What the ledger says of each trailer."""

    fetched: Mapping[str, Attempt]
    """The last attempt that fetched it."""
    latest: Mapping[str, Attempt]
    """The last attempt that has an end."""

    @classmethod
    def of(cls, attempts: Iterable[Attempt]) -> "History":
        """Sum up attempts, oldest first."""
        ended = [each for each in attempts if each.outcome != Outcome.begun]
        fetched = [each for each in ended if each.outcome == Outcome.fetched]
        return cls(
            {each.trailer_id: each for each in fetched}, {each.trailer_id: each for each in ended}
        )


def origins(root: Path) -> dict[str, Attempt]:
    """Return, by sha256, the first attempt that brought a file."""
    attempts = read_ledger(ledger_path(root))
    return {each.sha256: each for each in reversed(attempts) if each.outcome == Outcome.fetched}
