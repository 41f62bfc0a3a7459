"""Shards: the groups of items that share a file. The digest of an item's name gives its shard."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable

SHARD_COUNT = 64
"""A power of two, 256 at most."""
SHARD_NAMES = tuple(f"{number:02x}" for number in range(SHARD_COUNT))


def shard_of(item: str) -> str:
    """Return the item's shard, two hex digits: the first bits of its name's sha256."""
    return SHARD_NAMES[hashlib.sha256(item.encode()).digest()[0] * SHARD_COUNT // 256]


def by_shard(items: Iterable[str]) -> dict[str, list[str]]:
    """Return the sorted items of each shard that has any, in the order of the shards."""
    shards: dict[str, list[str]] = defaultdict(list)
    for item in sorted(items):
        shards[shard_of(item)].append(item)
    return dict(sorted(shards.items()))
