"""Dumps of labels by IMDb id: IMDb's title.basics, TMDB's films as JSON, MovieLens.

Each is read line by line, and only films that are asked for are kept.
"""

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import Any, Literal, TextIO

import orjson

from mmx.errors import UserError

LARGEST_ARRAY = 1 << 30
"""Bytes of a dump that is one JSON document and must be read whole."""
_IMDB_COLUMNS = ("tconst", "primaryTitle", "startYear", "genres")
_MISSING = r"\N"
_YEAR_AT_END = re.compile(r"(.*?)\s*\(([0-9]{4})\)")
_ARTICLE_AT_END = re.compile(r"(.*), (The|An?)")
_NO_GENRES = "(no genres listed)"

Kind = Literal["imdb", "tmdb", "movielens"]


class DumpError(UserError):
    """A dump of labels cannot be read, or is not of the layout that its name promises."""


@dataclass(frozen=True)
class FilmLabels:
    """What a dump says of a film; empty where it says nothing."""

    imdb_id: str
    title: str = ""
    year: str = ""
    genres: tuple[str, ...] = ()
    """In the dump's own words."""


def read_dump(kind: Kind, path: Path, wanted: frozenset[str]) -> dict[str, FilmLabels]:
    """Return what a dump says of the films that are wanted, by IMDb id; the first line counts.

    path: a file, also compressed (.gz); of MovieLens, the folder of links.csv and movies.csv.

    Raises:
        DumpError: it cannot be read, or has another layout.
    """
    found: dict[str, FilmLabels] = {}
    with _named(path):
        for film in _READERS[kind](path, wanted):
            found.setdefault(film.imdb_id, film)
    return found


def dump_files(kind: Kind, path: Path) -> tuple[Path, ...]:
    """Return the files of a dump, by which it is digested."""
    return (path / "links.csv", path / "movies.csv") if kind == "movielens" else (path,)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Raise what goes wrong with a file as a DumpError that names the dump."""
    try:
        yield
    except UnicodeDecodeError:
        raise DumpError(f"{path.name} cannot be read, it is not UTF-8: download it again") from None
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DumpError(f"{path.name} cannot be read: {reason}") from None
    except (orjson.JSONDecodeError, csv.Error) as error:
        raise DumpError(f"{path.name} is not of this layout: {error}") from None


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    if path.suffix == ".gz":
        with gzip.open(path) as raw, TextIOWrapper(raw, "utf-8-sig", newline="\n") as text:
            yield text
    else:
        with path.open(encoding="utf-8-sig", newline="\n") as plain:
            yield plain


def _places(path: Path, header: list[str], columns: tuple[str, ...]) -> list[int]:
    missing = [name for name in columns if name not in header]
    if missing:
        raise DumpError(f"{path.name} has no column {', '.join(missing)}: it is another file")
    return [header.index(name) for name in columns]


def _imdb(path: Path, wanted: frozenset[str]) -> Iterator[FilmLabels]:
    with _opened(path) as lines:
        header = next(lines, "").rstrip("\r\n").split("\t")
        places = _places(path, header, _IMDB_COLUMNS)
        for line in lines:
            cells = line.rstrip("\r\n").split("\t")
            if len(cells) == len(header) and cells[places[0]] in wanted:
                yield _imdb_film(*(cells[place] for place in places))


def _imdb_film(imdb_id: str, title: str, year: str, genres: str) -> FilmLabels:
    said = ["" if cell == _MISSING else cell for cell in (title, year, genres)]
    return FilmLabels(imdb_id, said[0], said[1], tuple(filter(None, said[2].split(","))))


def _tmdb(path: Path, wanted: frozenset[str]) -> Iterator[FilmLabels]:
    for film in _documents(path):
        if not isinstance(film, dict) or "imdb_id" not in film:
            raise DumpError(
                f"{path.name} has a film without imdb_id: take films with their details, "
                "TMDB's daily lists of ids have no labels"
            )
        if isinstance(film["imdb_id"], str) and film["imdb_id"] in wanted:
            yield _tmdb_film(film)


def _documents(path: Path) -> Iterator[Any]:
    """Yield the films of JSON lines, or of a file that is one array or one film."""
    with _opened(path) as lines:
        filled = (line for line in lines if line.strip())
        first = next(filled, "")
        if first.strip() != "{" and not first.startswith("["):
            yield from map(orjson.loads, chain([first] if first else [], filled))
            return
        text = first + lines.read(LARGEST_ARRAY)
    if len(text) >= LARGEST_ARRAY:
        raise DumpError(f"{path.name} is one document and too large: save a film per line")
    whole = orjson.loads(text)
    yield from whole if isinstance(whole, list) else [whole]


def _tmdb_film(film: Mapping[str, Any]) -> FilmLabels:
    genres = film.get("genres")
    listed = genres if isinstance(genres, list) else []
    names = [each.get("name") if isinstance(each, dict) else each for each in listed]
    return FilmLabels(
        film["imdb_id"],
        str(film.get("title") or ""),
        str(film.get("release_date") or "")[:4],
        tuple(str(name) for name in names if name),
    )


def _movielens(path: Path, wanted: frozenset[str]) -> Iterator[FilmLabels]:
    links, movies = dump_files("movielens", path)
    ids = {
        movie: imdb_id
        for movie, digits in _cells(links, ("movieId", "imdbId"))
        if (imdb_id := f"tt{digits.zfill(7)}") in wanted
    }
    for movie, title, genres in _cells(movies, ("movieId", "title", "genres")):
        if movie in ids:
            yield replace(_movielens_film(title, genres), imdb_id=ids[movie])


def _cells(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    with _opened(path) as lines:
        rows = csv.reader(lines)
        header = next(rows, [])
        places = _places(path, header, columns)
        yield from (
            tuple(row[place] for place in places) for row in rows if len(row) == len(header)
        )


def _movielens_film(text: str, genres: str) -> FilmLabels:
    found = _YEAR_AT_END.fullmatch(text.strip())
    title, year = found.groups() if found else (text.strip(), "")
    article = _ARTICLE_AT_END.fullmatch(title)
    named = f"{article[2]} {article[1]}" if article else title
    said = () if genres == _NO_GENRES else tuple(filter(None, genres.split("|")))
    return FilmLabels("", named, year, said)


_READERS: Mapping[Kind, Callable[[Path, frozenset[str]], Iterator[FilmLabels]]] = {
    "imdb": _imdb,
    "tmdb": _tmdb,
    "movielens": _movielens,
}
