"""Where labels came from: each dump with its date and digest, and until when it may be used."""

from dataclasses import asdict, dataclass, fields
from datetime import date

from mmx.layout import Layout
from mmx.trailers.csvfile import read_csv, write_csv


@dataclass(frozen=True)
class LabelSource:
    """A dump of which labels were imported: a row of data/label_sources.csv."""

    name: str
    """imdb, tmdb or movielens."""
    date: str
    """Of the dump, as the user gives it: YYYY-MM-DD."""
    sha256: str
    """Of its file; of several, of their digests."""
    expires: str = ""
    """Day from which its terms forbid its use; empty where they name none."""
    trailers: str = ""
    """How many trailers of the manifest it named."""


_COLUMNS = tuple(each.name for each in fields(LabelSource))


def read_sources(layout: Layout) -> list[LabelSource]:
    """Return the recorded sources in their order; raise TableError for a damaged table."""
    path = layout.label_sources
    if not path.exists():
        return []
    records = read_csv(path, _COLUMNS, defused=True).records
    return [LabelSource(*(each.values[name] for name in _COLUMNS)) for each in records]


def record_source(layout: Layout, source: LabelSource) -> None:
    """Write a source among the others, in place of the earlier import of the same dump."""
    others = [each for each in read_sources(layout) if each.sha256 != source.sha256]
    write_csv(layout.label_sources, _COLUMNS, map(asdict, [*others, source]))


def expired_sources(layout: Layout, today: date | None = None) -> tuple[str, ...]:
    """Return a sentence for each kind of source whose latest dump has expired."""
    latest = {source.name: source for source in read_sources(layout)}
    day = (today or date.today()).isoformat()
    return tuple(
        f"labels of {each.name} ({each.date}) have expired on {each.expires}: import a newer dump "
        f"by `mmx labels import {each.name} FILE --date DATE`"
        for each in latest.values()
        if each.expires and each.expires <= day
    )
