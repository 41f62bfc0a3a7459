"""Names of files and output in UTF-8, whatever the locale says."""

import os
import sys


def use_utf8() -> None:
    """Start the program anew in Python's UTF-8 mode, if names of files are not read as UTF-8.

    In a locale such as POSIX, files whose names have accents would be taken for missing. Characters
    that the output's encoding lacks are printed as escapes.
    """
    if sys.getfilesystemencoding() != "utf-8":
        command = [sys.executable, "-X", "utf8", *sys.orig_argv[1:]]
        os.execve(sys.executable, command, {**os.environ, "PYTHONUTF8": "1"})
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
