"""The small collection, made once for all tests of this folder."""

from worlds import metrics, world

__all__ = ["metrics", "world"]
