"""What digests and names from outside must look like before a path is made of them."""

import re

SHA256 = re.compile(r"[0-9a-f]{64}")
_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
_UNSAFE = re.compile("[\x00-\x1f\x7f\\\\]")
_LONGEST = 255


def is_sha256(value: object) -> bool:
    """Say whether a value is a sha256 in lower-case hex."""
    return isinstance(value, str) and SHA256.fullmatch(value) is not None


def is_md5(value: object) -> bool:
    """Say whether a value is an md5 as DVC writes it; that of a directory ends in .dir."""
    return isinstance(value, str) and _MD5.fullmatch(value) is not None


def is_plain_name(value: object) -> bool:
    """Say whether a value can be the name of an item or a step: no path, and no hidden file.

    >>> is_plain_name("embed@lite_scene"), is_plain_name("../alien"), is_plain_name(".git")
    (True, False, False)
    """
    return is_plain_path(value) and "/" not in str(value) and not str(value).startswith(".")


def is_plain_path(value: object) -> bool:
    """Say whether a value is a relative path, with `/`, that leads nowhere else.

    >>> is_plain_path("_receipts/r00.jsonl"), is_plain_path("a/../../b"), is_plain_path("/etc")
    (True, False, False)
    """
    if not isinstance(value, str) or _UNSAFE.search(value):
        return False
    parts = value.split("/")
    return not any(part in ("", ".", "..") or len(part) > _LONGEST for part in parts)
