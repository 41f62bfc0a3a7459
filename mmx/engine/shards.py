"""Shards: the groups of items that share a file. The digest of an item's name gives its shard.

A directory has a power of two of shards, by the number of its items. The names of its shards say
how many: `00` to `3f` are 64; with more, each name ends in the number, as in `00ab-256`.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable

FEWEST = 64
"""Shards of a small directory. Their names do not say the number."""
CROWDED = 192
"""Items per shard above which there are twice as many shards: about 128 in each."""
_BITS = 64
"""Bits of the digest that give the shard."""


def shard_count(items: int) -> int:
    """Return the number of shards for so many items, a power of two.

    >>> shard_count(60), shard_count(8803), shard_count(30_000), shard_count(880_000)
    (64, 64, 256, 8192)
    """
    count = FEWEST
    while items > count * CROWDED:
        count *= 2
    return count


def shard_of(item: str, count: int = FEWEST) -> str:
    """Return the name of an item's shard, by the first bits of its name's sha256.

    >>> shard_of("film"), shard_of("film", 256), shard_of("film", 8192)
    ('34', '00d0-256', '1a0c-8192')
    """
    number = int.from_bytes(hashlib.sha256(item.encode()).digest()[:8]) * count >> _BITS
    return f"{number:02x}" if count == FEWEST else f"{number:04x}-{count}"


def count_of(shard: str) -> int:
    """Return the number of shards of the directory in which one has this name.

    >>> count_of("3f"), count_of("00ab-256")
    (64, 256)
    """
    _, _, count = shard.partition("-")
    return int(count) if count.isdecimal() else FEWEST


def by_shard(items: Iterable[str], count: int = FEWEST) -> dict[str, list[str]]:
    """Return the sorted items of each shard that has any, in the order of the shards."""
    shards: dict[str, list[str]] = defaultdict(list)
    for item in sorted(items):
        shards[shard_of(item, count)].append(item)
    return dict(sorted(shards.items()))
