"""Names of items' files that differ also where a file system ignores case.

An item of lower-case letters and digits is named as it is. Any other is named in lower case behind
a number in hexadecimal digits, whose bits say which letters are upper-case, the lowest bit the
first one, and a dot: no name begins with - or _, and none is that of another item in other case.
"""

import re

_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]*")


def file_name(item: str) -> str:
    """Return the name, without a suffix, of the files of an item; `item_name` undoes it.

    >>> file_name("alien"), file_name("-aB"), file_name("_x")
    ('alien', '4.-ab', '0._x')
    """
    if _PLAIN.fullmatch(item):
        return item
    upper = sum(1 << place for place, letter in enumerate(item) if letter != letter.lower())
    return f"{upper:x}.{item.lower()}"


def item_name(name: str) -> str:
    """Return the item that `file_name` gave this name."""
    upper, dot, item = name.partition(".")
    if not dot:
        return name
    bits = int(upper, 16)
    return "".join(
        letter.upper() if bits >> place & 1 else letter for place, letter in enumerate(item)
    )
