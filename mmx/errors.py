"""Errors that a user can act on end in one sentence and an exit code; bugs keep their traceback."""

import os
import re
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from mmx.engine.errors import ReceiptError, StepFailedError, UserError, machine_fault
from mmx.layout import find_root

__all__ = ["COMMAND_FOR", "StepFailedError", "UserError", "report_errors", "require_output"]

MANIFEST = "data/trailers.csv"
COMMAND_FOR = {
    MANIFEST: "mmx init --videos FOLDER --labels TABLE",
    "data/sources.parquet": "dvc repro ingest",
    "data/trailers.parquet": "dvc repro ingest",
    "data/clip_predictions.parquet": "dvc repro",
    "data/clips": "dvc repro scenes",
    "data/features": "dvc repro features",
    "data/predictions.parquet": "dvc repro",
    "data/sequence_predictions.parquet": "dvc repro",
    "data/splits.parquet": "dvc repro split",
    "data/trailer_embeddings.parquet": "dvc repro",
    "models/coarse": "dvc repro train",
    "models/fine": "dvc repro finetune",
    "reports/evaluation": "dvc repro",
    "reports/index.html": "dvc repro",
}
"""The command that makes each output, for errors about outputs that do not exist yet."""


RESUME = "finished items are kept; run the same command again to continue"


class NotMadeError(UserError):
    """An output is not there yet; the message names the command that makes it."""


def require_output(root: Path, path: str) -> None:
    """Raise NotMadeError where an output, as COMMAND_FOR names it, is not in the project `root`."""
    if not (root / path).exists():
        raise NotMadeError(_not_there(root, path))


def _not_there(root: Path, path: str) -> str:
    """Return that an output is missing and what makes it: `mmx init` first, if that is to come."""
    command, first = COMMAND_FOR[path], COMMAND_FOR[MANIFEST]
    if path != MANIFEST and not (root / MANIFEST).exists():
        return f"{path} is not there yet: `{first}`, then `{command}` make it"
    return f"{path} is not there yet: `{command}` makes it"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `, did you mean ...?` with the known name that is most alike; empty if none is."""
    # Imported here: only who has erred needs it.
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f", did you mean {near[0]!r}?" if near else ""


class Interrupted(BaseException):
    """The program was asked to end by a signal. Not an Exception: nothing goes on after it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def report_errors() -> Iterator[None]:
    """End the program with `error: ...` on stderr and the error's exit code; let bugs through.

    Ctrl-C, SIGTERM and SIGHUP end it likewise, with 128 plus the signal's number.
    """
    try:
        with _signals_raised():
            yield
    except Interrupted as signalled:
        name = signal.Signals(signalled.number).name
        end(f"interrupted by {name}; {RESUME}", 128 + signalled.number)
    except ReceiptError as error:
        # It says what is wrong with the receipt, but not in which file that is.
        end(_damaged_file(error) or str(error), error.exit_code)
    except UserError as error:
        end(str(error), error.exit_code)
    except Exception as error:
        reason = _missing_output(error) or _machine_trouble(error) or _damaged_file(error)
        if not reason:
            raise
        end(reason, UserError.exit_code)


@contextmanager
def _signals_raised() -> Iterator[None]:
    """Let signals that end the program raise Interrupted in here; one that is ignored stays so."""
    ending = (signal.SIG_DFL, signal.default_int_handler)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    main = threading.current_thread() is threading.main_thread()
    before = {each: signal.getsignal(each) for each in numbers if main}
    mine = [each for each, handler in before.items() if handler in ending]
    for number in mine:
        signal.signal(number, _raise_interrupted)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, before[number])


def _raise_interrupted(number: int, frame: FrameType | None) -> None:
    """Have the program end in order; a second Ctrl-C does not wait for that."""
    if number == signal.SIGINT:
        # Not print: the signal may have come in the middle of one.
        os.write(2, b"\nstopping; finished items are kept (again: now)\n")
        signal.signal(number, _end_now)
    raise Interrupted(number)


def _end_now(number: int, frame: FrameType | None) -> NoReturn:
    """End this process; its workers end when they see that it is gone."""
    os._exit(128 + number)


def end(reason: str, exit_code: int) -> NoReturn:
    """End the program with a sentence for its user."""
    print(f"error: {reason}", file=sys.stderr)
    sys.exit(exit_code)


def _missing_output(error: Exception) -> str:
    """Return which output is missing and what makes it; an empty string for other errors."""
    if not isinstance(error, FileNotFoundError):
        return ""
    # PyArrow's error has the path only in its text.
    asked = re.findall(rf"{re.escape(str(find_root(Path())))}/([^'\"]+)", str(error))
    for path in COMMAND_FOR:
        if any(Path(name).is_relative_to(path) for name in asked):
            return _not_there(find_root(Path()), path)
    return ""


def _machine_trouble(error: Exception) -> str:
    """Return what is wrong with the machine; an empty string for other errors."""
    fault = machine_fault(error)
    return f"{fault}; {RESUME}" if fault else ""


def _damaged_file(error: Exception) -> str:
    """Return which unreadable output of the project explains an error; an empty string for a bug.

    So readers of outputs need not handle files that somebody damaged or replaced.
    """
    # Imported here: PyArrow takes longer to load than a small stage to run.
    from mmx.damage import damaged_output

    path = damaged_output(find_root(Path()))
    if not path or (isinstance(error, FileNotFoundError) and path not in str(error)):
        return ""
    return (
        f"{path} is damaged, or is not what its step wrote: "
        "`mmx repair` removes it, `dvc repro` makes it again"
    )
