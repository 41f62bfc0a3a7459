"""Canonical JSON, and digests of data and files."""

import errno
import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import orjson

_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical(data: Any) -> bytes:
    """Return JSON with sorted keys, no spaces and no NaN: equal data give equal bytes.

    >>> canonical({"b": 0.5, "a": [1, None]}) == canonical({"a": [1, None], "b": 0.5})
    True
    >>> canonical({"b": 0.5, "a": [1, None]})
    b'{"a":[1,null],"b":0.5}'
    """
    return _ENCODER.encode(data).encode("utf-8")


def canonical_floatless(data: Any) -> bytes:
    """Return the same as `canonical`, much faster, for data without floats."""
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)


def data_digest(data: Any) -> str:
    """Return the sha256, in hex, of the canonical form of `data`."""
    return hashlib.sha256(canonical(data)).hexdigest()


def bytes_digest(content: bytes, algorithm: str = "sha256") -> str:
    """Return the digest, in hex, of `content`."""
    return hashlib.new(algorithm, content).hexdigest()


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Return the digest, in hex, of the bytes of the file at `path`.

    Raise OSError where it cannot be read, or is a pipe or a device, which might never end.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", str(path))
        return hashlib.file_digest(file, algorithm).hexdigest()


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; for a pipe, do not wait until somebody writes to it."""
    return os.open(path, flags | os.O_NONBLOCK)
