"""What DVC notes of files outside the project, to save time: paths of files with their digests."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from mmx.forget.places import opened
from mmx.forget.traces import Traces


def clean_notes(root: Path, traces: Traces) -> None:
    """Remove the trailers' files from DVC's notes; it knows the digests of all others as before."""
    with opened(root) as repo:
        site = Path(repo.site_cache_dir)
    for name in ("links", "index"):
        shutil.rmtree(site / name, ignore_errors=True)
    for path in sorted(site.rglob("cache.db")):
        _drop_keys(path, traces)


def _drop_keys(database: Path, traces: Traces) -> None:
    """Delete the keys with an id in them, and the bytes that they took in the database's file."""
    with closing(sqlite3.connect(database, timeout=60)) as connection:
        keys = [key for (key,) in connection.execute("SELECT key FROM Cache")]
        named = [(key,) for key in keys if traces.named_in(str(key))]
        connection.executemany("DELETE FROM Cache WHERE key = ?", named)
        connection.commit()
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
