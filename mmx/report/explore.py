"""The explorer alone, for any table of films: `mmx explore`.

One self-contained page; many pictures lie in a folder beside it, which has its name and `-stills`.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv
from pyarrow import parquet as pq
from sklearn.neighbors import NearestNeighbors

from mmx.engine.atomic import write_atomic
from mmx.errors import UserError
from mmx.evaluation.clusters import project
from mmx.evaluation.partition import find_clusters
from mmx.evaluation.retrieval import Neighbours, neighbours, unit
from mmx.report import explorer
from mmx.report.explorer import Extras, Film, Plane
from mmx.report.stills import Stills, is_inside, stills_data
from mmx.report.template import fill
from mmx.stills.sheet import Cells, encode, fitted, read_picture

MOST_SPACES = 2
"""The page has room for so many maps."""
CELLS = Cells(176)


_KNOWN = {
    "id": ("trailer_id", "id"),
    "title": ("title", "name"),
    "year": ("year",),
    "labels": ("genres", "labels"),
    "picture": ("picture", "image"),
}
"""Names by which columns are found that the user does not name."""
_KNOWN_SPACES = (("x", "y"), ("embedding",))


class TableFault(UserError):
    """The table lacks a column, or has a value that the explorer cannot show."""


@dataclass(frozen=True)
class Space:
    """One map: the column with each film's vector, or the two with its place."""

    name: str
    columns: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> "Space":
        """Read `NAME=COLUMN` or `NAME=X,Y`; a name alone is the column's too.

        >>> Space.read("look=x,y")
        Space(name='look', columns=('x', 'y'))
        """
        name, _, columns = text.partition("=")
        return cls(name, tuple(part.strip() for part in (columns or name).split(",")))


@dataclass(frozen=True)
class Columns:
    """Which columns the explorer shows as what. Empty: found by their usual names, if any."""

    id: str = ""
    title: str = ""
    year: str = ""
    labels: str = ""
    """A list of texts, or text between |."""
    picture: str = ""
    """Path of a picture, relative to the table."""
    spaces: tuple[Space, ...] = field(default=())


@dataclass(frozen=True)
class Layout:
    """How vectors become maps, and how many neighbours are shown."""

    neighbours: int = 10
    perplexity: float = 30.0
    seed: int = 0
    inside: float = 4.0
    """Megabytes of pictures up to which they are inside the page."""


def explore(table: Path, columns: Columns, layout: Layout, page: Path) -> int:
    """Write a page with the explorer of a Parquet or CSV table; return the number of films.

    Raise TableFault if the table cannot be read, lacks a column, or has an id twice.
    """
    rows = _read(table)
    columns = _completed(columns, rows.column_names)
    _require(rows, columns)
    films, vocabulary = _films(rows, columns)
    planes = [_plane(rows, space, layout) for space in columns.spaces]
    stills = _stills(rows, columns, table.parent, page)
    extras = Extras(stills=stills_data(stills, len(films), page, layout.inside))
    data = explorer.payload(films, vocabulary, planes, extras)
    context = {"data": data, "title": table.stem, "count": len(films)}
    write_atomic(page, fill("explore.html.jinja", context).encode())
    if is_inside(stills, layout.inside):
        _remove(stills)
    return len(films)


def _read(path: Path) -> pa.Table:
    """Return the table; one without rows is refused, since there is nothing to show."""
    if not path.is_file():
        raise TableFault(f"there is no file {path}")
    try:
        rows = csv.read_csv(path) if path.suffix == ".csv" else pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        said = str(error).splitlines()[0] if path.suffix == ".csv" else "it is not Parquet"
        raise TableFault(f"{path} cannot be read: {said}; a CSV file has the suffix .csv") from None
    if not len(rows):
        raise TableFault(f"{path} has no rows")
    return rows


def _completed(columns: Columns, names: Sequence[str]) -> Columns:
    """Return the columns with those that were not named, where the table has them."""
    own = {
        role: next((name for name in known if name in names), "")
        for role, known in _KNOWN.items()
        if not getattr(columns, role)
    }
    usual = [known for known in _KNOWN_SPACES if set(known) <= set(names)]
    spaces = columns.spaces or tuple(Space("map", known) for known in usual[:1])
    return replace(columns, **own, spaces=spaces)


def _require(rows: pa.Table, columns: Columns) -> None:
    """Raise TableFault if a column is missing, an id is there twice, or no map can be drawn."""
    if not columns.id:
        raise TableFault("which column has the ids? name it with --id")
    if not columns.spaces:
        raise TableFault("which columns make a map? name them with --space NAME=COLUMN or =X,Y")
    spaces = [name for space in columns.spaces for name in space.columns]
    named = [columns.id, columns.title, columns.year, columns.labels, columns.picture, *spaces]
    missing = [name for name in named if name and name not in rows.column_names]
    if missing:
        raise TableFault(
            f"there is no column {', '.join(map(repr, missing))}; "
            f"the table has {', '.join(map(repr, rows.column_names))}"
        )
    if len(columns.spaces) > MOST_SPACES:
        raise TableFault(f"{len(columns.spaces)} spaces are given: two can be shown")
    if any(len(space.columns) > 2 for space in columns.spaces):
        raise TableFault("a space is one column of vectors, or two of numbers")
    ids = rows[columns.id].to_pylist()
    if len(set(ids)) < len(ids):
        raise TableFault(f"column {columns.id!r} has a value more than once")


def _films(rows: pa.Table, columns: Columns) -> tuple[list[Film], list[str]]:
    """Return the films, and the vocabulary of their labels: the most frequent first."""
    labels = [_labels(value) for value in _column(rows, columns.labels)]
    counts: dict[str, int] = {}
    for each in labels:
        for label in each:
            counts[label] = counts.get(label, 0) + 1
    vocabulary = sorted(counts, key=lambda label: (-counts[label], label))
    place = {label: at for at, label in enumerate(vocabulary)}
    ids = [str(value) for value in rows[columns.id].to_pylist()]
    titles = _column(rows, columns.title or columns.id)
    years = _column(rows, columns.year)
    films = [
        Film(name, str(title), _year(year), tuple(place[label] for label in own))
        for name, title, year, own in zip(ids, titles, years, labels, strict=True)
    ]
    return films, vocabulary


def _column(rows: pa.Table, name: str) -> list[Any]:
    """Return the values of a column; None for each row where no column is chosen."""
    return rows[name].to_pylist() if name else [None] * len(rows)


def _labels(value: Any) -> list[str]:
    parts = value.split("|") if isinstance(value, str) else value or []
    return list(dict.fromkeys(text for part in parts if (text := str(part).strip())))


def _year(value: Any) -> int | None:
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        raise TableFault(f"{value!r} is not a year") from None


def _plane(rows: pa.Table, space: Space, layout: Layout) -> Plane:
    """Return a map and each film's neighbours: by cosine of vectors, by distance on a given map."""
    if len(space.columns) == 1:
        vectors = _vectors(rows, space)
        places = project(vectors, seed=layout.seed, perplexity=layout.perplexity)
        clusters = find_clusters(unit(vectors), seed=layout.seed)
        return Plane(space.name, places, neighbours(vectors, layout.neighbours), clusters)
    places = np.stack([_numbers(rows, name) for name in space.columns], axis=1)
    clusters = find_clusters(places, seed=layout.seed)
    return Plane(space.name, places, _neighbours_on_map(places, layout.neighbours), clusters)


def _neighbours_on_map(places: NDArray[np.float64], count: int) -> Neighbours:
    """Return the nearest on a map of N x 2 places.

    Similarity is 1 at the same place and 0 at the distance of the map's diagonal.
    """
    count = min(count, len(places) - 1)
    if not count:
        return Neighbours(np.empty((len(places), 0), np.int32), np.empty((len(places), 0)))
    distance, index = NearestNeighbors(n_neighbors=count).fit(places).kneighbors()
    diagonal = max(float(np.linalg.norm(np.ptp(places, axis=0))), 1e-12)
    return Neighbours(index.astype(np.int32), 1 - distance / diagonal)


def _vectors(rows: pa.Table, space: Space) -> NDArray[np.float64]:
    """Return the N x D vectors of a column of lists."""
    values = rows[space.columns[0]].to_pylist()
    widths = {len(value) if isinstance(value, Sequence) else 0 for value in values}
    if len(widths) != 1 or widths & {0} or any(isinstance(value, str) for value in values):
        raise TableFault(f"column {space.columns[0]!r} is not a vector of one length in every row")
    try:
        vectors = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise TableFault(f"column {space.columns[0]!r} has values that are no numbers") from None
    return _finite(vectors, space.columns[0])


def _numbers(rows: pa.Table, name: str) -> NDArray[np.float64]:
    try:
        return _finite(np.array(rows[name].to_pylist(), dtype=np.float64), name)
    except (TypeError, ValueError):
        raise TableFault(f"column {name!r} has values that are no numbers") from None


def _finite(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    if not np.isfinite(values).all():
        raise TableFault(f"column {name!r} has values that are missing or not finite")
    return values


def _stills(rows: pa.Table, columns: Columns, folder: Path, page: Path) -> Stills:
    """Write a small copy of every picture that can be read into a folder beside the page."""
    found: dict[int, Path] = {}
    values = _column(rows, columns.picture)
    for at, image in enumerate(_picture(folder, value) for value in values):
        if image is not None:
            found[at] = page.with_name(f"{page.stem}-stills") / f"{at:06d}.webp"
            write_atomic(found[at], encode([[fitted(image, CELLS)]]))
    return Stills(found, dict.fromkeys(found, 1), CELLS, moving=False)


def _remove(stills: Stills) -> None:
    """Remove the copies, which the page has inside."""
    for path in stills.files.values():
        path.unlink()
    for folder in {path.parent for path in stills.files.values()}:
        with suppress(OSError):  # Other files of a reader's are none of ours.
            folder.rmdir()


def _picture(folder: Path, value: Any) -> NDArray[np.uint8] | None:
    """Return the picture that a row names; None if it cannot be read."""
    path = (folder / str(value)).resolve()
    # A table from elsewhere must not put other pictures of this machine on the page.
    if not value or not path.is_relative_to(folder.resolve()):
        return None
    return read_picture(path)
