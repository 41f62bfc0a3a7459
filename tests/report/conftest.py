"""The small collection, made once for all tests of this folder."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from worlds import metrics, world

__all__ = ["metrics", "world"]
