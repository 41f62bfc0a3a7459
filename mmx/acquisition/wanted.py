"""The list of videos to fetch: one row per trailer, with a YouTube id or an address."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mmx.engine.names import file_name
from mmx.trailers.csvfile import Record, TableError, read_csv
from mmx.trailers.ids import id_fault, slug
from mmx.trailers.quoting import quoted

REQUIRED = ("title", "genres")
YOUTUBE = "youtube.com"
"""Host whose limits hold for YouTube's ids."""
LONGEST_ADDRESS = 2000
_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_ADDRESS = re.compile(r"https?://[!-~]+")
_OF_YOUTUBE = re.compile(
    r"https?://(?:(?:www|m)\.)?(?:youtube\.com/(?:watch\?(?:.*&)?v=|shorts/|embed/)|youtu\.be/)"
    r"([A-Za-z0-9_-]{11})(?![A-Za-z0-9_-]).*"
)


@dataclass(frozen=True)
class Wanted:
    """A row of the list without a fault."""

    row: int
    """Number in a spreadsheet: the header is row 1."""
    trailer_id: str
    url: str
    youtube_id: str
    """Empty for a plain address."""
    cells: Mapping[str, str]
    """The row as the list has it."""

    @property
    def host(self) -> str:
        """Name of the host whose limits hold."""
        return YOUTUBE if self.youtube_id else (urlsplit(self.url).hostname or "")

    @property
    def stem(self) -> str:
        """Name of its files without suffix, safe where case does not count."""
        return file_name(self.trailer_id)


@dataclass(frozen=True)
class Rejected:
    """A row of the list that cannot be fetched."""

    row: int
    """Number in a spreadsheet: the header is row 1."""
    title: str
    reason: str


def read_list(path: Path) -> tuple[list[Wanted], list[Rejected]]:
    """Return the rows of a list in its order, and those with a fault.

    Columns: title, genres, and youtube_id or url; year, imdb_id, trailer_id and others if they are
    there. Without a trailer_id a row is named by its YouTube id, or by its address. Raise
    TableError for a file that is no such table.
    """
    table = read_csv(path, REQUIRED)
    if not {"youtube_id", "url"} & set(table.columns):
        raise TableError(f"{path.name} has neither a column youtube_id nor url")
    read = [(record, *_read(record)) for record in table.records]
    count = Counter(wanted.trailer_id for _, wanted, _ in read if wanted)
    wanted, rejected = [], []
    for record, one, fault in read:
        if one and count[one.trailer_id] == 1:
            wanted.append(one)
            continue
        reason = fault or f"{one.trailer_id if one else ''} is in the list more than once"
        rejected.append(Rejected(record.row, record.values["title"], reason))
    return wanted, rejected


def _read(record: Record) -> tuple[Wanted | None, str]:
    """Return the row, or what is wrong with it."""
    fault = next(_faults(record), "")
    if fault:
        return None, fault
    cells = record.values
    url = cells.get("url", "")
    youtube = cells.get("youtube_id", "") or _youtube_id(url)
    if youtube:
        url = f"https://www.youtube.com/watch?v={youtube}"
    trailer = cells.get("trailer_id", "") or youtube or _named(url)
    return Wanted(record.row, trailer, url, youtube, cells), ""


def _faults(record: Record) -> Iterator[str]:
    """Yield what is wrong with a row."""
    yield from [record.fault] if record.fault else []
    youtube, url = (record.values.get(name, "") for name in ("youtube_id", "url"))
    trailer = record.values.get("trailer_id", "")
    if trailer and (fault := id_fault(trailer)):
        yield fault
    if youtube and not _ID.fullmatch(youtube):
        yield f"youtube_id {quoted(youtube)} is not 11 of A-Z, a-z, 0-9, _ and -"
    if not youtube and not url:
        yield "it has neither youtube_id nor url"
    if url and not _is_address(url):
        yield f"url {quoted(url)} is not an address of http or https"


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    plain = _ADDRESS.fullmatch(url) is not None and len(url) <= LONGEST_ADDRESS
    # A password in an address would get into the ledger, the manifest and git.
    return plain and named and parts.username is None


def _youtube_id(url: str) -> str:
    found = _OF_YOUTUBE.fullmatch(url)
    return found[1] if found else ""


def _named(url: str) -> str:
    """Return an id that depends on the address alone."""
    digest = hashlib.sha256(url.encode()).hexdigest()[:8]
    return f"{slug(urlsplit(url).path)[:48] or 't'}-{digest}"
