"""Faults of the machine, told from those of the input and from bugs."""

import errno

REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission is denied",
    errno.EIO: "the disk reports an error",
    errno.ENOMEM: "memory is used up",
    errno.EMFILE: "too many files are open",
}


def machine_fault(error: BaseException) -> str:
    """Return in a few words what is wrong with the machine, and where; nothing for other errors."""
    if not isinstance(error, OSError) or error.errno not in REASONS:
        return ""
    where = f" ({error.filename})" if error.filename else ""
    return REASONS[error.errno] + where
