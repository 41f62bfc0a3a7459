"""Canonical JSON, and digests of data and files."""

import hashlib
import json
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


def bytes_digest(content: bytes) -> str:
    """Return the sha256, in hex, of `content`."""
    return hashlib.sha256(content).hexdigest()


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Return the digest, in hex, of the bytes of the file at `path`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
