"""Expected errors, which are not bugs: of the user, of a step, of the store, of the machine.

The exit codes are listed in docs/commands.md.
"""

import errno
from typing import ClassVar


class UserError(Exception):
    """An error that the user can fix; the message says what is wrong and what to do.

    Only its message is shown, never a traceback: on the command line, in a stage or in a worker.
    """

    exit_code: ClassVar[int] = 1
    """Exit code of the program."""


class StepFailedError(UserError):
    """A step could not be completed; what it finished is in the store."""

    exit_code = 3


class StoreBusyError(UserError):
    """Another run holds the store's lock."""

    exit_code = 5


class StoreError(UserError):
    """The store cannot be written."""


class ReceiptError(UserError):
    """Not a receipt: a field is missing, or the fingerprint is not that of the content."""


MACHINE_FAULTS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.EIO: "the disk reports an error",
    errno.ENOMEM: "memory is used up",
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open",
}


def machine_fault(error: BaseException) -> str:
    """Return what is wrong with the machine, and where; empty for other errors."""
    if isinstance(error, MemoryError):
        return MACHINE_FAULTS[errno.ENOMEM]
    if not isinstance(error, OSError) or error.errno not in MACHINE_FAULTS:
        return ""
    where = f" ({error.filename})" if error.filename else ""
    return MACHINE_FAULTS[error.errno] + where
