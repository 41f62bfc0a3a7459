"""All that a file says, for a search: a table's values decoded, other files' bytes."""

from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def text_of(path: Path) -> bytes:
    """The bytes of a file; of a table of Parquet or rows of Arrow, its values, too."""
    state = path.stat()
    return _text_of(path, state.st_ino, state.st_mtime_ns)


@cache
def _text_of(path: Path, inode: int, time: int) -> bytes:
    content = path.read_bytes()
    if content.startswith(b"PAR1"):
        content += repr(pq.read_table(pa.BufferReader(content)).to_pydict()).encode()
    return content
